"""`scripts/soak --minutes M --seed N`: random faults against a steady stream of jobs, and the oracle at the end.

The seed gives the same faults in the same order; what they meet is up to the machine.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from faults.clip import make_clip, make_speech
from faults.cluster import Cluster
from faults.customers import Customers
from faults.grounds import Grounds, migrated
from faults.invariants import History, check
from faults.troubles import TROUBLES, Scene, Trouble, troubles
from receiving import Receiver, receiving
from sqlalchemy import select
from sqlmodel import col
from wire import Wire, endpoint, s3_by_way_of

from mill_common.hooks.secrets import message_id
from mill_common.models import Attempt, WebhookDelivery
from mill_common.models.webhooks import DeliveryStatus

# A task that is unlucky a hundred times is not what a soak looks for: every job must end as its client wants it.
SETTINGS = {
    "MILL_MAX_ATTEMPTS": "100",
    "MILL_MAX_CRASHES": "100",
    "MILL_STOP_GRACE_S": "2",
    "MILL_PAUSE_S": "1",
    "MILL_PAUSE_CAP_S": "2",
    "MILL_WHISPER_MODEL": "tiny-digits",
    "MILL_WHISPER_DEVICE": "cpu",
    "MILL_STALL_S": "20",
    "MILL_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "MILL_WEBHOOK_LEASE_S": "10",
}
PATIENCE_S = 600.0  # for the last jobs, once nothing breaks any more


class Soak:
    """Four services, customers who hand in jobs by HTTP, and what befalls them."""

    def __init__(
        self, cluster: Cluster, database: Wire, storage: Wire, sources: list[Path], receiver: Receiver
    ) -> None:
        self.cluster, self.storage, self.receiver = cluster, storage, receiver
        cluster.settings["MILL_STORAGE_URL"] = s3_by_way_of(storage, cluster.storage_url)
        _, url = cluster.api(keep=True, settings=SETTINGS)
        for service in ("watchdog", "watchdog", "transcoder", "transcriber"):
            cluster.start(service, keep=True, settings=SETTINGS)
        # One of them reaches its database by a wire that can be cut.
        cluster.start("transcoder", keep=True, settings={**SETTINGS, "MILL_DATABASE_URL": database.url})
        self.customers = Customers(url, sources, told_at=receiver.url())
        self.scene = Scene(cluster, self.customers, database, storage)
        self.done: Counter[str] = Counter()

    def run(self, seconds: float, seed: int) -> None:
        """Hand in jobs and break things for so long, then wait until every job has ended."""
        self.cluster.until(self.customers.ready)
        self.customers.start()
        until = time.monotonic() + seconds
        for trouble in troubles(seed):
            if time.monotonic() >= until:
                break
            self._make(trouble)
        self.customers.stop()
        self.cluster.until_ended(patience_s=PATIENCE_S)
        self.cluster.until(self._all_told, patience_s=PATIENCE_S)
        self.cluster.stop()

    def _all_told(self) -> bool:
        waiting = col(WebhookDelivery.status).in_([DeliveryStatus.PENDING, DeliveryStatus.SENDING])
        with self.cluster.database.read() as session:
            return session.scalar(select(col(WebhookDelivery.id)).where(waiting).limit(1)) is None

    def _make(self, trouble: Trouble) -> None:
        TROUBLES[trouble.name](self.scene, trouble)
        self.done[trouble.name] += 1
        time.sleep(trouble.pause_s)

    def verdict(self) -> str:
        """What came of it. Raises AssertionError if an invariant is broken or a job ended as nobody wanted."""
        history = History(self.cluster.database, self.cluster.store)
        check(history, self.cluster.folder)
        assert set(map(str, history.jobs)) == set(self.customers.jobs), (
            "jobs that nobody has handed in, or that are gone"
        )
        for job in history.jobs.values():
            assert job.status in self.customers.wanted(str(job.id)), f"job {job.id} is {job.status}: {job.error_code}"
        sent = {message_id(delivery.id) for delivery in history.deliveries}
        assert sent == {line["id"] for line in self.receiver.heard()}, "events that were not heard, or are nobody's"
        made = [attempt for attempts in history.attempts.values() for attempt in attempts]
        return (
            f"{self.done.total()} faults ({_counts(self.done)}), {len(history.jobs)} jobs"
            f" ({_counts(Counter(str(job.status) for job in history.jobs.values()))}),"
            f" {len(made)} attempts ({_counts(Counter(_outcome(attempt) for attempt in made))}),"
            f" {len(sent)} webhooks in {len(self.receiver.heard())} requests"
        )


def _outcome(attempt: Attempt) -> str:
    return str(attempt.outcome)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def soak(minutes: float, seed: int) -> str:
    """Soak on servers of its own; what came of it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mill-soak-")))
        grounds = Grounds()
        stack.callback(grounds.close)
        grounds.start()
        urls = [
            stack.enter_context(grounds.postgres.database("migrated", migrated)),
            stack.enter_context(grounds.redis.database()),
            stack.enter_context(grounds.s3.bucket()),
        ]
        clip = make_clip(folder)
        cluster = Cluster(folder / "mill", grounds, urls, clip)
        stack.callback(cluster.close)
        database = stack.enter_context(Wire(cluster.database_url))
        storage = stack.enter_context(Wire(endpoint(cluster.storage_url)))
        (folder / "receiver").mkdir()
        receiver = stack.enter_context(receiving(folder / "receiver"))
        soak = Soak(cluster, database, storage, [clip, make_speech(folder, 10)], receiver)
        soak.run(minutes * 60, seed)
        return soak.verdict()


def main() -> None:
    """Soak, and say what came of it."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description="Random faults against a stream of jobs.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    arguments = parser.parse_args()
    sys.stdout.write(f"seed {arguments.seed}, {arguments.minutes:g} minutes\n")
    sys.stdout.flush()
    sys.stdout.write(f"no invariant broken: {soak(arguments.minutes, arguments.seed)}\n")


if __name__ == "__main__":
    main()
