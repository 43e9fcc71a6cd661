"""Deliveries are sent.

deliverer   takes what is due and hands it to threads
lanes       so many at a time for each endpoint, so that a slow one delays nobody else
posting     one request
"""

from mill_watchdog.webhooks.deliverer import Deliverer

__all__ = ["Deliverer"]
