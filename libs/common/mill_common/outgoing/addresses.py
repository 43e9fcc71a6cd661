"""Which addresses an outgoing request may connect to."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Source: the IANA special-purpose address registries. Also what no registry lists but is no public host.
_CLOSED_V4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host: Linux connects to itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; one cloud's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent, though the address is a public one
        "169.254.0.0/16",  # link-local: metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
]
# Everything outside is special: ::1, mapped ::ffff:0:0/96, NAT64 64:ff9b::/96, unique local, link-local, multicast …
_UNICAST_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo 2001::/32, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4: holds an IPv4 address
        "2620:4f:8000::/48",
        "3ffe::/16",
        "3fff::/20",
    )
]
_ISATAP = 0x00005EFE  # the interface identifier that precedes an embedded IPv4 address, its "universal" bit cleared


def is_public(address: Address) -> bool:
    """Whether the address is an ordinary host on the public internet.

    `is_global` alone passes NAT64, 6to4 and multicast, and its tables differ between Python versions.
    """
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    if address not in _UNICAST_V6 or (int(address) >> 32) & 0xFDFFFFFF == _ISATAP:
        return False
    return not any(address in network for network in _CLOSED_V6)


def is_allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether a request may go to `address`: it is public, or `networks` name it in its own family.

    10.0.0.0/8 does not open ::ffff:10.0.0.1, and a scoped address (fe80::1%eth0) is never allowed.
    """
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    return is_public(address) or any(address in network for network in networks)


def parse_networks(text: str) -> tuple[Network, ...]:
    """The networks of a comma-separated list such as `10.1.0.0/16, fd00::/8`.

    Raises:
        ValueError: If a part is no network in CIDR form, or has bits set to the right of its prefix.
    """
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
