"""What can go wrong with a request to somebody else's server, besides the errors that sources share."""

from __future__ import annotations

from mill_common.errors import PermanentError, TransientError


class AddressRefused(PermanentError):
    """The URL leads to a place that may not be reached from here."""

    code = "address_refused"


class SourceUnreachable(TransientError):
    """The server named in the URL does not answer as it should."""

    code = "source_unreachable"
