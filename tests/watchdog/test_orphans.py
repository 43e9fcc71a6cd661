"""Objects that no row owns are removed; everything that might still be somebody's stays."""

from __future__ import annotations

from io import BytesIO
from uuid import UUID, uuid4

import pytest
from common.desk import Desk, made
from watchdog.sweeps import latest, store, stored, sweep

from mill_common.cleanup import keep_job_objects
from mill_common.queue import Claim, NewOutput, SourceFacts
from mill_common.resources import Resources
from mill_common.settings import Settings


@pytest.fixture
def desk(resources: Resources) -> Desk:
    """The resources' queue."""
    return Desk(resources.database, resources.queue.policy)


@pytest.fixture(autouse=True)
def no_grace(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every object be old enough at once. The S3 server tells whole seconds and has a clock of its own."""
    monkeypatch.setitem(resources.settings.__dict__, "orphan_grace_s", -5)


def _prefix(claim: Claim) -> str:
    return f"jobs/{claim.job.id}/{claim.task_id}-{claim.epoch}/"


def _output(resources: Resources, claim: Claim, name: str) -> NewOutput:
    return made(name, object_key=store(resources, _prefix(claim) + name))


def _tree(resources: Resources, claim: Claim) -> NewOutput:
    for name in ("master.m3u8", "360p/1.m4s"):
        store(resources, f"{_prefix(claim)}hls/{name}")
    files = {"master.m3u8": 5, "360p/1.m4s": 5}
    return made("hls/", object_key=f"{_prefix(claim)}hls/", kind="hls", files=files)


def test_what_a_running_epoch_writes_stays(resources: Resources, desk: Desk) -> None:
    desk.job()
    kept = _output(resources, desk.claim(), "half.mp4").object_key
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 0
    assert stored(resources) == {kept}


def test_what_an_earlier_epoch_of_a_running_task_left_goes(resources: Resources, desk: Desk) -> None:
    desk.job()
    lost = desk.claim()
    _output(resources, lost, "half.mp4")
    desk.crash(lost)
    kept = _output(resources, desk.claim(), "half.mp4").object_key
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 1
    assert stored(resources) == {kept}


def test_published_outputs_trees_and_fetched_sources_stay(resources: Resources, desk: Desk) -> None:
    desk.job(source_key=None, source_url="https://example.com/clip.mp4")
    fetch = desk.claim()
    source = _output(resources, fetch, "source")
    facts = SourceFacts(object_key=source.object_key, size=5, sha256="0" * 64, filename="clip.mp4")
    desk.finish(fetch, source, source=facts)
    probe = desk.claim()
    desk.finish(probe, _output(resources, probe, "360p.mp4"), _tree(resources, probe), publish=True)
    before = stored(resources)
    store(resources, _prefix(probe) + "left.mp4")
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 1
    assert stored(resources) == before
    assert len(before) == 4


def test_a_job_s_source_stays_without_an_output_row(resources: Resources, desk: Desk) -> None:
    key = store(resources, f"jobs/{uuid4()}/{uuid4()}-1/source")
    job, task = uuid4(), uuid4()
    own = store(resources, f"jobs/{job}/{task}-1/source")
    desk.job(id=job, source_key=own)
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 1
    assert stored(resources) == {own}
    assert key not in stored(resources)


def test_intermediate_outputs_of_a_job_that_may_be_retried_stay(resources: Resources, desk: Desk) -> None:
    desk.job()
    probe = desk.claim()
    chunk = _output(resources, probe, "chunks/000/360p.mp4")
    desk.finish(probe, NewOutput(**{**vars(chunk), "intermediate": True}))
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 0
    assert stored(resources) == {chunk.object_key}


def test_what_a_deleted_job_left_goes(resources: Resources, desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    output = _output(resources, claim, "360p.mp4")
    desk.finish(claim, output, publish=True)
    desk.delete(job)
    result = sweep(resources, "orphaned_objects")
    assert (result["deleted_count"], result["deleted_bytes"]) == (1, 5)
    assert stored(resources) == set()


def test_what_a_deleted_job_was_asked_to_leave_stays(resources: Resources, desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    output = _output(resources, claim, "360p.mp4")
    desk.finish(claim, output, publish=True)
    keep_job_objects(resources.store, job)
    desk.delete(job)
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 0
    assert stored(resources) == {output.object_key, f"jobs/{job}/kept"}


def test_what_no_attempt_can_have_written_stays(resources: Resources) -> None:
    job, task = UUID(int=1), UUID(int=2)
    foreign = {
        "jobs/notes.txt",
        f"jobs/{job}/manual.mp4",
        f"jobs/{job}/{task}/360p.mp4",
        f"jobs/{job}/{task}-x/360p.mp4",
        f"jobs/{job}/{task}-01/360p.mp4",
        f"jobs/{job}/{task.hex}-1/360p.mp4",
        "uploads/clip.mp4",
    }
    for key in foreign:
        store(resources, key)
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 0
    assert stored(resources, "") == foreign


def test_objects_of_a_later_epoch_than_the_row_s_stay(resources: Resources, desk: Desk) -> None:
    """The database was put back to an earlier day."""
    desk.job()
    claim = desk.claim()
    later = store(resources, f"jobs/{claim.job.id}/{claim.task_id}-{claim.epoch + 1}/360p.mp4")
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 0
    assert stored(resources) == {later}


def test_what_is_young_stays(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(resources.settings.__dict__, "orphan_grace_s", Settings().orphan_grace_s)
    young = store(resources, f"jobs/{uuid4()}/{uuid4()}-1/360p.mp4")
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 0
    assert stored(resources) == {young}


def test_many_are_looked_at_in_batches(resources: Resources, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mill_watchdog.orphans.AT_ONCE", 3)
    desk.job()
    kept = _output(resources, desk.claim(), "half.mp4").object_key
    for number in range(7):
        store(resources, f"jobs/{uuid4()}/{uuid4()}-1/{number}.mp4")
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 7
    assert stored(resources) == {kept}
    assert latest(resources, "orphaned_objects").items_processed == 8


def test_the_attempt_that_finishes_while_the_sweep_looks_keeps_its_objects(
    resources: Resources, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.job()
    claim = desk.claim()
    output = _output(resources, claim, "360p.mp4")
    listed = resources.store.list

    def listing(prefix: str) -> object:
        yield from listed(prefix)
        desk.finish(claim, output, publish=True)  # between the listing and the look at the rows

    monkeypatch.setattr(resources.store, "list", listing)
    assert sweep(resources, "orphaned_objects")["deleted_count"] == 0
    assert b"".join(resources.store.get(output.object_key)) == BytesIO(b"bytes").read()
