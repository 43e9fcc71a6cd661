"""`mill monitor`: the running system on one screen."""

from .command import monitor

__all__ = ["monitor"]
