"""Takes deliveries that are due and sends them, each endpoint's beside all the others'."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import sentry_sdk
import structlog
from sqlalchemy.exc import SQLAlchemyError

from mill_common.errors import LeaseLost, MillError, ShuttingDown
from mill_common.hooks.claims import DeliveryClaim, DueEndpoint, claim_deliveries, due_endpoints, lapse
from mill_common.hooks.endpoints import disable_failing
from mill_common.hooks.outcome import Answer, drop, hand_back, record
from mill_common.metrics.instruments import WEBHOOK_SECONDS
from mill_common.models.webhooks import DisabledReason
from mill_common.resources import Resources
from mill_common.tracing import done_for
from mill_common.worker import worker_name
from mill_watchdog.webhooks.lanes import Lane, Lanes
from mill_watchdog.webhooks.posting import Poster

log = structlog.get_logger(__name__)

STOP_S = 3.0  # what is under way when the process is to stop may take so long; then it is handed back


class Deliverer:
    """Sends from a pool of threads. Any number of watchdogs may: a delivery is claimed by one of them at a time."""

    def __init__(self, resources: Resources, poster: Poster | None = None) -> None:
        settings = resources.settings
        self._database = resources.database
        self._settings = settings
        self._poster = poster or Poster(settings)
        self._worker = worker_name("watchdog")
        self._lanes = Lanes(settings.webhook_threads)
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._stop_at = float("inf")
        self._due: list[DueEndpoint] = []
        self._scan_at = self._lapse_at = 0.0
        self._threads = ThreadPoolExecutor(settings.webhook_threads, thread_name_prefix="webhook")
        self._dispatcher = threading.Thread(target=self._forever, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._dispatcher.start()

    def stop(self) -> None:
        """Take nothing more, and end or hand back what is under way."""
        self._stop_at = time.monotonic() + STOP_S
        self._stopping.set()
        self._news.set()
        if self._dispatcher.ident is not None:
            self._dispatcher.join()
        self._threads.shutdown(wait=True)

    def once(self) -> None:
        """Send what is due, and return when nothing is any more."""
        while True:
            self._scan_at = 0.0
            self._news.clear()
            if self.round() == 0 and not self._due and self._is_idle():
                return
            self._news.wait(self._settings.webhook_poll_s)

    def round(self) -> int:
        """Take what there is room for, and send it. Returns how many were taken."""
        if time.monotonic() >= self._lapse_at:
            self._lapse()
        if time.monotonic() >= self._scan_at:
            self._scan()
        wanted = self._reserve()
        if not wanted:
            return 0
        claims: list[DeliveryClaim] = []
        counts = {endpoint.id: count for endpoint, count in wanted.items()}
        take = partial(claim_deliveries, wanted=counts, worker=self._worker, lease_s=self._settings.webhook_lease_s)
        try:
            claims = self._database.run(take)
        finally:
            self._settle(wanted, Counter(claim.endpoint_id for claim in claims))
        lanes = {endpoint.id: endpoint.lane for endpoint in wanted}
        for claim in claims:
            self._threads.submit(self._send, claim, lanes[claim.endpoint_id])
        return len(claims)

    def _scan(self) -> None:
        self._scan_at = time.monotonic() + self._settings.webhook_poll_s
        with self._database.read() as session:
            found = due_endpoints(session)
        # Those that were waiting keep their place; who is served goes to the end.
        known = {endpoint.id for endpoint in self._due}
        new = [endpoint for endpoint in found if endpoint.id not in known]
        self._due.extend(new)
        with self._lock:
            for endpoint in new:
                if endpoint.is_failing:
                    self._lanes.meet(endpoint.lane)

    def _reserve(self) -> dict[DueEndpoint, int]:
        """Room for as many requests as may be made now, for those first who have waited longest."""
        wanted: dict[DueEndpoint, int] = {}
        with self._lock:
            for endpoint in self._due:
                if not self._lanes.free_threads:
                    break
                if count := self._lanes.room(endpoint.lane):
                    self._lanes.take(endpoint.lane, count)
                    wanted[endpoint] = count
        return wanted

    def _settle(self, wanted: Mapping[DueEndpoint, int], taken: Mapping[UUID, int]) -> None:
        """Give back the room for which there was nothing, and put who was served at the end."""
        with self._lock:
            for endpoint, count in wanted.items():
                if unused := count - taken.get(endpoint.id, 0):
                    self._lanes.leave(endpoint.lane, unused)
        waiting = [endpoint for endpoint in self._due if endpoint not in wanted]
        more = [endpoint for endpoint, count in wanted.items() if taken.get(endpoint.id) == count]
        self._due = [*waiting, *more]

    def _lapse(self) -> None:
        self._lapse_at = time.monotonic() + self._settings.webhook_lease_s / 4
        if lost := self._database.run(lapse):
            log.warning("webhook_deliveries_taken_back", count=lost)
            self._scan_at = 0.0
        for endpoint_id in self._database.run(disable_failing):
            _tell_disabled(endpoint_id, DisabledReason.FAILING)
            self._scan_at = 0.0

    def _send(self, claim: DeliveryClaim, lane: Lane) -> None:
        try:
            if not claim.wanted:
                self._database.run(partial(drop, claim=claim))
            else:
                self._post(claim, lane)
        except LeaseLost:
            log.info("webhook_delivery_lost", delivery=str(claim.id), epoch=claim.epoch)
        except (SQLAlchemyError, MillError) as error:
            # It is sent again when its lease runs out: a second time under one id, but never not at all.
            log.warning("webhook_left_to_its_lease", delivery=str(claim.id), error=type(error).__name__)
        except Exception as error:
            log.exception("webhook_crashed", delivery=str(claim.id), exc_info=error)
            sentry_sdk.capture_exception(error)
        finally:
            with self._lock:
                self._lanes.leave(lane)
            self._news.set()

    def _post(self, claim: DeliveryClaim, lane: Lane) -> None:
        try:
            answer = self._traced(claim)
        except ShuttingDown:
            self._database.run(partial(hand_back, claim=claim))
            return
        with self._lock:
            self._lanes.learn(lane, took_s=answer.duration_s, succeeded=answer.is_success)
        disabled = self._database.run(partial(record, claim=claim, answer=answer))
        _tell(claim, answer)
        if disabled:
            _tell_disabled(claim.endpoint_id, DisabledReason.GONE)

    def _traced(self, claim: DeliveryClaim) -> Answer:
        with done_for(self._database, claim.job_id, op="webhook.deliver", name=f"webhook {claim.event}") as transaction:
            answer = self._poster.post(claim, self._check)
            outcome = "delivered" if answer.is_success else "failed"
            WEBHOOK_SECONDS.labels(claim.event.value, outcome).observe(answer.duration_s)
            if transaction is not None:
                transaction.set_status("ok" if answer.is_success else "unavailable")
                transaction.set_data("http.response.status_code", answer.status)
            return answer

    def _check(self) -> None:
        if time.monotonic() > self._stop_at:
            raise ShuttingDown

    def _is_idle(self) -> bool:
        with self._lock:
            return self._lanes.free_threads == self._settings.webhook_threads

    def _forever(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            try:
                self.round()
            except (SQLAlchemyError, MillError) as error:
                log.warning("webhooks_paused", error=type(error).__name__)
                self._stopping.wait(self._settings.webhook_poll_s)
            except Exception as error:
                log.exception("webhooks_crashed", exc_info=error)
                sentry_sdk.capture_exception(error)
                self._stopping.wait(self._settings.webhook_poll_s)
            if not self._stopping.is_set():
                self._news.wait(max(0.0, min(self._scan_at, self._lapse_at) - time.monotonic()))


def _tell_disabled(endpoint_id: UUID, reason: DisabledReason) -> None:
    log.warning("webhook_disabled", endpoint=str(endpoint_id), reason=reason.value)


def _tell(claim: DeliveryClaim, answer: Answer) -> None:
    if not answer.is_success:
        log.info(
            "webhook_failed",
            delivery=str(claim.id),
            endpoint=str(claim.endpoint_id),
            status=answer.status,
            attempts=claim.attempts + 1,
        )
