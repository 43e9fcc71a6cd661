"""Outgoing requests to URLs that clients name.

    outgoing = Outgoing(networks=parse_networks(settings.source_networks))
    with outgoing.open(url, method="POST", content=body) as response: ...
    found = download(outgoing, url, path, max_bytes=…)

target      the form of a URL           resolve, addresses   where it may lead
connection  to those addresses only     patience             for how long
"""

from __future__ import annotations

from mill_common.outgoing.addresses import Network, is_allowed, is_public, parse_networks
from mill_common.outgoing.download import Download, download
from mill_common.outgoing.errors import AddressRefused, SourceUnreachable
from mill_common.outgoing.filenames import filename_of, safe_filename
from mill_common.outgoing.outgoing import REDIRECTS_MAX, Limits, Outgoing
from mill_common.outgoing.resolve import Resolver, system_resolver
from mill_common.outgoing.target import Target

__all__ = [
    "REDIRECTS_MAX",
    "AddressRefused",
    "Download",
    "Limits",
    "Network",
    "Outgoing",
    "Resolver",
    "SourceUnreachable",
    "Target",
    "download",
    "filename_of",
    "is_allowed",
    "is_public",
    "parse_networks",
    "safe_filename",
    "system_resolver",
]
