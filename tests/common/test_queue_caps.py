"""An owner with a cap never runs more than that of one queue, and is in nobody's way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from common.desk import NOTHING, Desk
from sqlalchemy import event, select, update
from sqlmodel import col

from mill_common.errors import ChildFailed
from mill_common.models import Owner, Task
from mill_common.queue import TRANSCRIBE, Claim, NewTask, OwnerNotFound
from mill_common.queue.turn import COMMON


def _crowd(desk: Desk, count: int, owner: str = "crowd") -> None:
    for _ in range(count):
        desk.job(owner)


def test_an_owner_at_its_cap_gets_no_more(desk: Desk) -> None:
    _crowd(desk, 5)
    desk.limit("crowd", running_cap=2)
    assert [desk.claim().job.owner_id for _ in range(2)] == ["crowd", "crowd"]
    assert desk.take() is None


def test_others_go_on_while_an_owner_is_at_its_cap(desk: Desk) -> None:
    _crowd(desk, 5)
    desk.limit("crowd", running_cap=1)
    desk.claim()
    _crowd(desk, 3, "others")
    assert [desk.claim().job.owner_id for _ in range(3)] == ["others"] * 3
    assert desk.take() is None


def test_below_its_cap_an_owner_takes_turns_as_everybody_does(desk: Desk) -> None:
    _crowd(desk, 10)
    desk.limit("crowd", running_cap=5)
    _crowd(desk, 10, "others")
    served = Counter(desk.claim().job.owner_id for _ in range(10))
    assert served == {"crowd": 5, "others": 5}


def test_an_end_of_any_kind_makes_room(desk: Desk) -> None:
    _crowd(desk, 6)
    desk.limit("crowd", running_cap=1)
    ends: list[Callable[[Claim], object]] = [
        desk.finish,
        lambda claim: desk.fail(claim, ChildFailed()),
        lambda claim: desk.queue.release(claim, NOTHING),
        desk.crash,
    ]
    for end in ends:
        claim = desk.claim()
        assert desk.take() is None
        end(claim)
    assert desk.claim().job.owner_id == "crowd"


def test_a_cap_counts_for_each_queue_by_itself(desk: Desk) -> None:
    desk.planned(NewTask(name="speech", kind="x", queue=TRANSCRIBE), NewTask(name="encode", kind="x"), owner="crowd")
    desk.limit("crowd", running_cap=1)
    assert desk.claim().name == "encode"
    assert desk.claim(TRANSCRIBE).name == "speech"


def test_a_cap_that_is_raised_or_lifted_lets_waiting_tasks_go(desk: Desk) -> None:
    _crowd(desk, 4)
    desk.limit("crowd", running_cap=1)
    desk.claim()
    desk.limit("crowd", running_cap=2)
    desk.claim()
    assert desk.take() is None
    desk.limit("crowd", running_cap=None)
    assert [desk.claim().job.owner_id for _ in range(2)] == ["crowd", "crowd"]
    _crowd(desk, 1)
    assert desk.claim().job.owner_id == "crowd"


def test_the_higher_priority_of_a_capped_owner_goes_first(desk: Desk) -> None:
    desk.job("others", priority=5)
    _crowd(desk, 1)
    urgent = desk.job("crowd", priority=9)
    desk.limit("crowd", running_cap=1)
    assert desk.claim().job.id == urgent


def test_claims_at_once_do_not_go_over_the_cap(desk: Desk) -> None:
    _crowd(desk, 24)
    desk.limit("crowd", running_cap=3)
    with ThreadPoolExecutor(8) as threads:
        taken = [claim for claim in threads.map(lambda number: desk.take(worker=f"w{number}"), range(24)) if claim]
    assert 1 <= len(taken) <= 3


def test_a_task_that_was_queued_before_its_owner_s_cap_was_known_is_counted_all_the_same(desk: Desk) -> None:
    _crowd(desk, 3)
    desk.limit("crowd", running_cap=1)
    with desk.database.write() as session:
        session.execute(update(Task).values(lane=COMMON))
    desk.claim()
    assert desk.take() is None
    with desk.database.read() as session:
        waiting = select(col(Task.lane)).where(col(Task.status) == "queued")
        assert set(session.scalars(waiting)) == {"crowd"}


def test_a_claim_that_holds_its_owner_s_row_keeps_nobody_waiting(desk: Desk) -> None:
    if desk.database.is_sqlite:
        pytest.skip("SQLite has one writer")
    _crowd(desk, 2)
    desk.limit("crowd", running_cap=2)
    desk.job("others")
    with ExitStack() as stack:
        frozen = stack.enter_context(desk.database.write())
        frozen.execute(select(Owner).where(col(Owner.id) == "crowd").with_for_update(key_share=True))
        assert desk.claim().job.owner_id == "others"
        assert desk.take() is None
    assert desk.claim().job.owner_id == "crowd"


def test_a_capped_owner_s_backlog_costs_a_claim_nothing(desk: Desk) -> None:
    statements: list[str] = []
    desk.planned(*(NewTask(name=f"encode-{number}", kind="x", queue="bulk") for number in range(300)), owner="crowd")
    desk.limit("crowd", running_cap=1)
    desk.claim("bulk")
    event.listen(desk.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert desk.take("bulk") is None
    assert len([one for one in statements if "task" in one or "EXECUTE" in one]) <= 3


@pytest.mark.parametrize(("weight", "cap"), [(0.0, None), (-1.0, None), (1.0, 0)])
def test_limits_out_of_range_are_refused(desk: Desk, weight: float, cap: int | None) -> None:
    _crowd(desk, 1)
    with pytest.raises(ValueError, match="weight"):
        desk.limit("crowd", weight=weight, running_cap=cap)


def test_limits_of_nobody_are_refused(desk: Desk) -> None:
    with pytest.raises(OwnerNotFound):
        desk.limit("nobody")
