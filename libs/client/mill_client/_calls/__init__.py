"""Every call of the HTTP API. Knows no socket."""

from .call import Call

__all__ = ["Call"]
