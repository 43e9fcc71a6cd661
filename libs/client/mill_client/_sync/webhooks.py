# Made from _async/webhooks.py by `python -m tools.unasync`: change that.
"""Webhooks: URLs that are told of jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from .._calls import webhooks as calls
from .._calls.call import given
from ..models import Delivery, DeliveryDetail, Webhook
from .transport import Transport


class Webhooks:
    """The webhooks of this key's owner. `mill_client.webhooks.verify` checks what they are sent."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        payload: str | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """Have a URL told of every job. Its `secret` is told this once."""
        body = given(url=url, events=events, payload=payload, description=description, enabled=enabled)
        return self._transport.send(calls.create(body))

    def all(self, *, job_id: str | None = None) -> list[Webhook]:
        """Every webhook, or that of one job; without the secrets."""
        return (self._transport.send(calls.listed(job_id))).webhooks

    def get(self, webhook_id: str) -> Webhook:
        """One webhook."""
        return self._transport.send(calls.get(webhook_id))

    def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        payload: str | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """Change what is given. `enabled=True` also ends what failures brought about."""
        body = given(url=url, events=events, payload=payload, description=description, enabled=enabled)
        return self._transport.send(calls.change(webhook_id, body))

    def delete(self, webhook_id: str) -> None:
        """Tell this URL nothing more."""
        self._transport.send(calls.delete(webhook_id))

    def rotate_secret(self, webhook_id: str, *, grace_seconds: int | None = None) -> Webhook:
        """Give it a new secret. The old one signs as well for `grace_seconds` longer, a day by default."""
        return self._transport.send(calls.rotate_secret(webhook_id, given(grace_seconds=grace_seconds)))

    def test(self, webhook_id: str) -> Delivery:
        """Send it a `webhook.test`."""
        return self._transport.send(calls.test(webhook_id))

    def deliveries(
        self,
        webhook_id: str,
        *,
        status: str | None = None,
        event: str | None = None,
        from_date: datetime | str | None = None,
        to_date: datetime | str | None = None,
        per_page: int | None = None,
    ) -> Iterator[Delivery]:
        """What was sent to it, the newest first, page after page."""
        asked = {"status": status, "event": event, "from_date": from_date, "to_date": to_date, "per_page": per_page}
        cursor = None
        while True:
            page = self._transport.send(calls.deliveries(webhook_id, given(**asked, cursor=cursor)))
            yield from page.deliveries
            cursor = page.next_cursor
            if cursor is None:
                return

    def delivery(self, webhook_id: str, delivery_id: str) -> DeliveryDetail:
        """One delivery with its body and every request."""
        return self._transport.send(calls.delivery(webhook_id, delivery_id))

    def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send one again, under its own id."""
        return self._transport.send(calls.redeliver(webhook_id, delivery_id))

    def recover(self, webhook_id: str, since: datetime | str) -> int:
        """Send everything again that failed since then; how many that are."""
        return (self._transport.send(calls.recover(webhook_id, given(since=since)))).count
