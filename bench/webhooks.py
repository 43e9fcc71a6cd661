"""What receivers that hang cost those that answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from uuid import UUID

from receiving import receiving
from servers import Postgres
from sqlalchemy import func, insert, select
from sqlmodel import Session, col

from bench.result import Result
from mill_common.database import Database
from mill_common.hooks.secrets import new_secret
from mill_common.ids import uuid7
from mill_common.migrations import migrate
from mill_common.models import Owner, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, WebhookEvent

ENDPOINTS = 100
HANGING = 10
EACH = 100  # deliveries to an endpoint
TURNS_LEAST, TURNS_MOST = 2, 6  # as many as there is time for
BUDGET_S = 150.0
GOAL = 1.2
GIVE_UP_S = 240.0


def run(folder: Path) -> list[Result]:
    """How long 90 endpoints wait for 9,000 deliveries beside 10 that hang, over how long they wait without those."""
    took: dict[int, list[float]] = {HANGING: [], 0: []}
    began = time.monotonic()
    with Postgres() as postgres:
        for turn in range(TURNS_MOST):
            # In turn, and the other way round each time: a machine that grows slower or faster favours neither.
            for hanging in sorted(took, reverse=bool(turn % 2)):
                took[hanging].append(_took_s(postgres, folder / f"{turn}-{hanging}", hanging=hanging))
            with_another_s = (time.monotonic() - began) * (turn + 2) / (turn + 1)
            if turn + 1 >= TURNS_LEAST and with_another_s > BUDGET_S:
                break
    for beside, alone in zip(took[HANGING], took[0], strict=True):
        print(f"beside {beside:.1f} s, alone {alone:.1f} s", file=sys.stderr)
    ratio = median(took[HANGING]) / median(took[0])
    return [Result("webhooks_beside_hanging", ratio, "×", GOAL, "the same endpoints without the 10 that hang")]


def _took_s(postgres: Postgres, folder: Path, *, hanging: int) -> float:
    """Seconds from the first to the last answer of an endpoint that answers."""
    folder.mkdir()
    with postgres.database() as url, closing(Database(url)) as database, receiving(folder) as receiver:
        migrate(database)
        healthy = [receiver.url(f"ok/{number}") for number in range(ENDPOINTS - HANGING)]
        hung = [receiver.url(f"hang/{number}") for number in range(hanging)]
        with database.write() as session:
            answering = _fill(session, healthy, hung)
        with _watchdog(url, folder):
            _await_delivered(database, len(healthy) * EACH)
        made = select(func.min(WebhookAttempt.at), func.max(WebhookAttempt.at)).join(
            WebhookDelivery, col(WebhookDelivery.id) == col(WebhookAttempt.delivery_id)
        )
        with database.read() as session:
            first, last = session.execute(made.where(col(WebhookDelivery.endpoint_id).in_(answering))).one()
    return float((last - first).total_seconds())


def _fill(session: Session, healthy: list[str], hung: list[str]) -> list[UUID]:
    """Deliveries to every endpoint in turn, all due. Returns the ids of those that answer."""
    session.add(Owner(id="bench"))
    session.flush()
    rows = [
        WebhookEndpoint(owner_id="bench", url=url, secret=new_secret(), events=["job.completed"])
        for url in [*hung, *healthy]
    ]
    session.add_all(rows)
    session.flush()
    data = {"job_id": str(uuid7()), "status": "completed", "progress": 100.0, "links": {"job": "/api/v1/jobs/x"}}
    deliveries = [
        {"id": uuid7(), "endpoint_id": row.id, "event": WebhookEvent.JOB_COMPLETED, "data": data}
        | {"status": DeliveryStatus.PENDING, "attempts": 0, "epoch": 0}
        for _ in range(EACH)
        for row in rows
    ]
    session.connection().execute(insert(WebhookDelivery), deliveries)
    return [row.id for row in rows[len(hung) :]]


@contextmanager
def _watchdog(url: str, folder: Path) -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
    settings = {"MILL_DATABASE_URL": url, "MILL_DATA_DIR": str(folder), "MILL_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    command = [sys.executable, "-m", "mill_watchdog"]
    with (folder / "watchdog.log").open("wb") as log:
        child = subprocess.Popen(command, env={**kept, **settings}, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        child.wait(60)


def _await_delivered(database: Database, count: int) -> None:
    until = time.monotonic() + GIVE_UP_S
    delivered = select(func.count()).where(col(WebhookDelivery.status) == DeliveryStatus.DELIVERED)
    while time.monotonic() < until:
        with database.read() as session:
            if (session.scalar(delivered) or 0) >= count:
                return
        time.sleep(1.0)
    raise RuntimeError(f"{count} deliveries were not made within {GIVE_UP_S:.0f} s")
