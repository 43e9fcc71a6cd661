"""What dead attempts leave on disk goes; what living ones use stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from common.workshop import Workshop, until

from mill_common.database import Database
from mill_common.queue import Claim


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Workshop]:
    url = database.engine.url.render_as_string(hide_password=False)
    with closing(Workshop(tmp_path / "data", url, lease_s=0.5)) as shop:
        yield shop


def folder(shop: Workshop, name: str) -> Path:
    path = shop.settings.scratch / name
    (path / "inputs").mkdir(parents=True)
    (path / "inputs" / "source").write_text("frames")
    return path


def of(shop: Workshop, claim: Claim) -> Path:
    return folder(shop, f"{claim.task_id}-{claim.epoch}")


def test_folders_of_attempts_that_nobody_runs_are_removed(shop: Workshop) -> None:
    desk = shop.desk
    first, second = desk.job(), desk.job()
    lost = desk.claim()
    desk.crash(lost)
    desk.due(lost.task_id)
    again, other = desk.claim(), desk.claim()
    assert {again.job.id, other.job.id} == {first, second}
    dead = [of(shop, lost), folder(shop, f"{uuid4()}-1")]
    alive = [of(shop, again if again.task_id == lost.task_id else other), folder(shop, "notes-1")]
    with shop.working({}, queue_name="another"):
        until(lambda: not any(path.exists() for path in dead))
        assert all((path / "inputs" / "source").exists() for path in alive)


def test_a_task_that_dies_later_is_swept_later(shop: Workshop) -> None:
    shop.desk.job()
    claim = shop.desk.claim()
    path = of(shop, claim)
    gone = folder(shop, f"{uuid4()}-1")
    with shop.working({}, queue_name="another"):
        until(lambda: not gone.exists())
        assert path.exists()
        shop.desk.crash(claim)
        until(lambda: not path.exists())
