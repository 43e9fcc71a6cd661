"""One request to one receiver."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import sentry_sdk
import structlog

from mill_common.errors import MillError, ShuttingDown
from mill_common.hooks.claims import DeliveryClaim
from mill_common.hooks.outcome import Answer
from mill_common.hooks.payload import body
from mill_common.hooks.schedule import retry_after_s
from mill_common.hooks.secrets import headers
from mill_common.outgoing import Limits, Outgoing, Resolver, Target, parse_networks, system_resolver
from mill_common.queue.text import storable_text
from mill_common.settings import Settings

log = structlog.get_logger(__name__)

HEAD_MAX = 2000  # characters of a head that are kept
_PATIENT = frozenset({429, 503})  # whose Retry-After is obeyed
_HIDDEN = frozenset({"webhook-signature", "set-cookie", "authorization", "www-authenticate"})


class Poster:
    """Sends deliveries to public addresses, and to the networks that the settings name."""

    def __init__(self, settings: Settings, resolve: Resolver = system_resolver) -> None:
        limit_s = settings.webhook_timeout_s
        limits = Limits(connect_s=limit_s, read_s=limit_s, answer_s=limit_s, total_s=limit_s)
        networks = parse_networks(settings.webhook_networks)
        self._outgoing = Outgoing(networks=networks, limits=limits, resolve=resolve)
        self._public_url = settings.public_url

    def post(self, claim: DeliveryClaim, check: Callable[[], None]) -> Answer:
        """Send a delivery. Nothing of the answer's body is read.

        Raises:
            ShuttingDown: `check` said so.
        """
        content = body(claim.event, claim.at, claim.data, self._public_url)
        signed = headers(claim.secrets, claim.id, int(time.time()), content)
        sent = {"content-type": "application/json", "user-agent": "Mediamill-Webhooks/1", **signed}
        begun = time.monotonic()
        try:
            with self._outgoing.open(claim.url, method="POST", headers=sent, content=content, check=check) as response:
                return _answer(response, time.monotonic() - begun, _request_head(claim, sent))
        except ShuttingDown:
            raise
        except MillError as error:
            return Answer(
                duration_s=time.monotonic() - begun,
                error=storable_text(f"{error.code}: {error.message}"),
                request_head=_request_head(claim, sent),
            )
        except Exception as error:
            # Ours, not the receiver's. It counts, or it would be made again for ever.
            log.exception("webhook_crashed", delivery=str(claim.id), exc_info=error)
            sentry_sdk.capture_exception(error)
            return Answer(duration_s=time.monotonic() - begun, error=f"{MillError.code}: {type(error).__name__}")


def _answer(response: httpx.Response, duration_s: float, request_head: str) -> Answer:
    obeyed = response.headers.get("retry-after") if response.status_code in _PATIENT else None
    return Answer(
        duration_s=duration_s,
        status=response.status_code,
        request_head=request_head,
        response_head=_head(f"HTTP {response.status_code}", response.headers),
        retry_after_s=retry_after_s(obeyed, datetime.now(UTC)),
    )


def _request_head(claim: DeliveryClaim, sent: dict[str, str]) -> str:
    try:
        shown = Target.parse(claim.url).shown
    except MillError:
        shown = "(a URL that may not be asked for)"
    return _head(f"POST {shown}", httpx.Headers(sent))


def _head(first: str, lines: httpx.Headers) -> str:
    shown = (f"{name}: {'***' if name.lower() in _HIDDEN else value}" for name, value in lines.multi_items())
    return storable_text("\n".join([first, *shown]), HEAD_MAX)
