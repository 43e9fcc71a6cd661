"""J5: one look at the rows serves all who watch, and a slow client costs no more than a quick one."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from api.running import Gateway, claim, submit
from common.counted import Counted
from sqlalchemy import event

from mill_api.callers import Caller
from mill_api.live import Hub, Watcher
from mill_api.live.state import CompleteEvent, ProgressEvent, State
from mill_api.live.watcher import BACKLOG
from mill_common.states import JobStatus


def state(progress: float, *, stage: str = "encoding", ended: bool = False) -> State:
    """A job's state."""
    job_id = uuid4() if stage == "other" else JOB
    now = datetime.now(UTC)
    status = JobStatus.COMPLETED if ended else JobStatus.PROCESSING
    seen = ProgressEvent(
        job_id=job_id,
        status=status,
        current_task="encode",
        current_stage=stage,
        progress=progress,
        overall_progress=progress,
        eta_seconds=None,
        updated_at=now,
    )
    ending = CompleteEvent(job_id=job_id, status=status, completed_at=now, error_code=None, error_message=None)
    return State("ada", seen, ending if ended else None)


JOB = uuid4()


def somebody(owner: str) -> Caller:
    """Somebody with a key of that owner's."""
    return Caller(owner, uuid4(), frozenset({"jobs"}), f"key:{owner}")


def test_what_a_slow_client_missed_is_superseded_by_the_latest() -> None:
    async def told() -> list[bytes]:
        watcher = Watcher(somebody("ada"), JOB)
        watcher.offer(state(0, stage="probing"), stage=True)
        for percent in range(1, 100):
            watcher.offer(state(percent), stage=percent == 1)
        watcher.offer(state(100, ended=True), stage=False)
        return [news async for news in watcher.news()]

    (news,) = asyncio.run(told())
    assert news.count(b"event: progress") == 1
    assert b'"progress":100.0' in news
    assert news.count(b"event: stage") == 1, "that the stage changed is not lost with the state that it came with"
    assert news.endswith(b"\n\n") and news.count(b"event: complete") == 1


def test_a_client_that_takes_nothing_is_dropped_before_its_backlog_grows() -> None:
    async def told() -> list[bytes]:
        watcher = Watcher(somebody("ada"), None)
        for _ in range(BACKLOG + 1):
            watcher.offer(state(1, stage="other"), stage=False)
        return [news async for news in watcher.news()]

    assert asyncio.run(told()) == []


@pytest.mark.parametrize("watchers", [1, 100])
def test_a_look_takes_two_statements_however_many_watch(any_gateway: Gateway, watchers: int) -> None:
    database = any_gateway.resources.database
    owners = [f"owner-{number % 10}" for number in range(watchers)]
    jobs: dict[str, UUID] = {}
    for owner in dict.fromkeys(owners):
        with any_gateway.owner(owner) as client:
            jobs[owner] = UUID(submit(client))
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    async def look() -> list[bytes]:
        hub = Hub(database)
        with ExitStack() as leaving:
            joined = [leaving.enter_context(hub.watch(somebody(owner), jobs[owner], [])) for owner in owners]
            assert hub._polling is not None
            hub._polling.cancel()
            for _ in jobs:
                claim(any_gateway.resources)
            event.listen(database.engine, "before_cursor_execute", note)
            await hub.look()
            event.remove(database.engine, "before_cursor_execute", note)
            return [await anext(watcher.news()) for watcher in joined]

    news = asyncio.run(look())
    assert len(statements) == 2, statements
    assert len(news) == watchers
    assert all(b'"status":"processing"' in told for told in news)


def test_watchers_are_counted_while_they_watch(any_gateway: Gateway) -> None:
    watching = Counted("mill_event_watchers")

    async def watch() -> list[float]:
        hub = Hub(any_gateway.resources.database)
        with hub.watch(somebody("ada"), JOB, []), hub.watch(somebody("ada"), None, []):
            both = watching.rise()
        return [both, watching.rise()]

    assert asyncio.run(watch()) == [2, 0]
