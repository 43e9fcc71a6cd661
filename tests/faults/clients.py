"""Clients of a gateway that may be dead."""

from __future__ import annotations

from mill_client import Client, MillClientError


def ready(client: Client) -> bool:
    """Whether a gateway answers, and well."""
    try:
        client.check_ready()
    except MillClientError:
        return False
    return True
