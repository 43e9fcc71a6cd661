"""How a claim ends, and what follows from it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from common.desk import NOTHING, Desk, made

from mill_common.errors import ChildFailed, SourceUnreadable
from mill_common.models import Outcome, Task
from mill_common.queue import TRANSCODE, TRANSCRIBE, Claim, NewTask, SourceFacts, Spent
from mill_common.queue.history import job_outputs, task_result
from mill_common.states import JobStatus, TaskStatus

FAN = [
    NewTask(name="left", kind="x"),
    NewTask(name="right", kind="x"),
    NewTask(name="join", kind="x", needs=["left", "right"]),
]


def test_finishing_the_last_task_completes_the_job(desk: Desk) -> None:
    job = desk.planned(NewTask(name="publish", kind="publish"))
    desk.finish(desk.claim())
    row = desk.row(job)
    assert (row.status, row.progress) == (JobStatus.COMPLETED, 1.0)
    assert row.completed_at is not None


def test_finish_writes_the_tasks_that_a_plan_names(desk: Desk) -> None:
    plan = [
        NewTask(name="audio", kind="audio", params={"rate": 16_000}, weight=2.5),
        NewTask(name="transcribe", kind="transcribe", queue=TRANSCRIBE, needs=["audio"]),
        NewTask(name="publish", kind="publish", needs=["probe", "transcribe"]),
    ]
    tasks = desk.tasks(desk.planned(*plan))
    assert {name: task.status for name, task in tasks.items()} == {
        "probe": TaskStatus.COMPLETED,
        "audio": TaskStatus.QUEUED,
        "transcribe": TaskStatus.BLOCKED,
        "publish": TaskStatus.BLOCKED,
    }
    assert (tasks["audio"].params, tasks["audio"].weight, tasks["transcribe"].queue) == (
        {"rate": 16_000},
        2.5,
        TRANSCRIBE,
    )


def test_planned_tasks_inherit_the_job_s_priority(desk: Desk) -> None:
    job = desk.job(priority=8)
    desk.finish(desk.claim(), tasks=[NewTask(name="encode", kind="encode")])
    assert desk.tasks(job)["encode"].rank == desk.tasks(job)["probe"].rank == 1


def test_a_plan_that_needs_an_unknown_task_is_refused_whole(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    with pytest.raises(ValueError, match="nowhere"):
        desk.finish(claim, made("360p.mp4"), tasks=[NewTask(name="a", kind="a", needs=["nowhere"])])
    assert desk.statuses(job) == {"probe": TaskStatus.RUNNING}
    assert desk.outputs(job) == {}


def test_a_dependent_waits_for_all_that_it_needs(desk: Desk) -> None:
    job = desk.planned(*FAN)
    claims = desk.claims(2)
    desk.finish(claims["left"])
    assert desk.statuses(job)["join"] is TaskStatus.BLOCKED
    assert desk.take() is None
    desk.finish(claims["right"])
    assert desk.claim().name == "join"


def test_a_dependent_of_a_retried_task_keeps_waiting(desk: Desk) -> None:
    job = desk.planned(*FAN)
    claims = desk.claims(2)
    desk.finish(claims["left"])
    desk.fail(claims["right"], ChildFailed())
    assert desk.statuses(job)["join"] is TaskStatus.BLOCKED


def test_two_needs_that_finish_at_the_same_moment_release_their_dependent_once(desk: Desk) -> None:
    with ThreadPoolExecutor(2) as threads:
        for _ in range(8 if desk.database.is_sqlite else 40):
            job = desk.planned(*FAN)
            together = threading.Barrier(2)

            def finish(claim: Claim, together: threading.Barrier = together) -> None:
                together.wait()
                desk.finish(claim)

            for done in [threads.submit(finish, claim) for claim in desk.claims(2).values()]:
                done.result()
            join = desk.claim()
            assert (join.name, join.job.id, join.epoch) == ("join", job, 1)
            desk.finish(join)
            assert desk.status(job) is JobStatus.COMPLETED


def test_finish_wakes_the_queues_of_what_it_released(desk: Desk) -> None:
    desk.job()
    plan = [NewTask(name="audio", kind="audio"), NewTask(name="speech", kind="transcribe", queue=TRANSCRIBE)]
    desk.finish(desk.claim(), tasks=plan)
    assert desk.woken.counts == {TRANSCODE: 1, TRANSCRIBE: 1}


def test_finish_writes_what_it_learned_of_the_source(desk: Desk) -> None:
    job = desk.job(source_key=None, source_url="https://example.org/v")
    source = SourceFacts(object_key="jobs/1/source", size=7, sha256="f" * 64, filename="v.mp4")
    desk.finish(desk.claim(), source=source)
    desk.finish(desk.claim(), media={"width": 1280}, transcript={"words": 3}, result={"plan": [1]})
    row = desk.row(job)
    assert (row.source_key, row.source_size, row.source_sha256, row.filename) == ("jobs/1/source", 7, "f" * 64, "v.mp4")
    assert (row.media, row.transcript) == ({"width": 1280}, {"words": 3})
    with desk.database.read() as session:
        assert task_result(session, job, "probe") == {"plan": [1]}


def test_a_source_that_is_a_url_is_fetched_before_it_is_probed(desk: Desk) -> None:
    job = desk.job(source_key=None, source_url="https://example.org/v")
    assert desk.statuses(job) == {"fetch": TaskStatus.QUEUED, "probe": TaskStatus.BLOCKED}


def test_text_that_a_database_cannot_hold_is_mended_not_refused(desk: Desk) -> None:
    job = desk.job()
    desk.finish(desk.claim(), media={"title": "a\x00b\udcffc", "rate": float("nan"), "tags": [{"k\x00": 1}]})
    assert desk.row(job).media == {"title": "ab?c", "rate": None, "tags": [{"k": 1}]}


def test_an_attempt_s_costs_and_last_words_are_kept(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    spent = Spent(cpu_s=1.5, peak_memory=2**33, bytes_in=3, bytes_out=4, log_tail="moov atom\x00 not found")
    desk.queue.fail(claim, SourceUnreadable(), spent)
    (attempt,) = desk.attempts(claim.task_id)
    assert (attempt.cpu_s, attempt.peak_memory, attempt.bytes_in, attempt.bytes_out) == (1.5, 2**33, 3, 4)
    assert (attempt.log_tail, attempt.outcome) == ("moov atom not found", Outcome.FAILED)


def test_outputs_are_hidden_until_the_job_is_published(desk: Desk) -> None:
    job = desk.planned(NewTask(name="encode", kind="encode"), NewTask(name="publish", kind="p", needs=["encode"]))
    desk.finish(desk.claim(), made("360p.mp4"), made("chunks/000/360p.mp4", intermediate=True))
    assert {name: output.published_at for name, output in desk.outputs(job).items()} == {
        "360p.mp4": None,
        "chunks/000/360p.mp4": None,
    }


def test_publishing_shows_the_outputs_and_drops_the_intermediate_ones(desk: Desk) -> None:
    job = desk.planned(NewTask(name="encode", kind="encode"), NewTask(name="publish", kind="p", needs=["encode"]))
    desk.finish(desk.claim(), made("360p.mp4"), made("chunks/000/360p.mp4", intermediate=True))
    desk.finish(desk.claim(), made("poster.jpg"), publish=True)
    outputs = desk.outputs(job)
    assert set(outputs) == {"360p.mp4", "poster.jpg"}
    assert all(output.published_at is not None for output in outputs.values())


def test_later_tasks_see_what_earlier_ones_made(desk: Desk) -> None:
    job = desk.planned(NewTask(name="package", kind="package"), NewTask(name="publish", kind="p", needs=["package"]))
    tree = made("hls/", object_key="jobs/1/hls/", files={"master.m3u8": 9}, facts={"rungs": [360]})
    desk.finish(desk.claim(), tree)
    with desk.database.read() as session:
        assert job_outputs(session, job) == {"hls/": tree}


def test_a_permanent_error_is_a_dead_letter_at_once(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    assert desk.fail(claim, SourceUnreadable("no picture")) is TaskStatus.FAILED
    row = desk.row(job)
    assert (row.status, row.error_code, row.error_message, row.failed_task) == (
        JobStatus.FAILED,
        "source_unreadable",
        "no picture",
        "probe",
    )
    assert desk.task(claim.task_id).attempts == 1


def test_a_transient_error_is_retried_later(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    assert desk.fail(claim, ChildFailed("signal 9")) is TaskStatus.RETRYING
    task = desk.task(claim.task_id)
    assert (task.status, task.error_code, task.error_message) == (TaskStatus.RETRYING, "child_failed", "signal 9")
    assert 0 < desk.seconds_until(claim.task_id, "run_after") <= desk.policy.retry_base_s
    assert desk.status(job) is JobStatus.PROCESSING


def test_the_fifth_transient_error_is_a_dead_letter(desk: Desk) -> None:
    job = desk.job()
    statuses = []
    for _ in range(5):
        claim = desk.claim()
        statuses.append(desk.fail(claim, ChildFailed()))
        desk.due(claim.task_id)
    assert statuses == [TaskStatus.RETRYING] * 4 + [TaskStatus.FAILED]
    assert desk.status(job) is JobStatus.FAILED
    assert desk.take() is None


def test_a_defect_in_a_handler_is_retried_and_tells_no_secrets(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    assert desk.fail(claim, RuntimeError("postgresql://mill:hunter2@db")) is TaskStatus.RETRYING
    task = desk.task(claim.task_id)
    assert (task.error_code, task.error_message) == ("internal_error", "RuntimeError in probe")


def test_an_endless_message_is_cut(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    desk.fail(claim, ChildFailed("x" * 5000))
    assert desk.task(claim.task_id).error_message == "x" * 2000


def test_a_failed_job_holds_what_waits(desk: Desk) -> None:
    job = desk.planned(*FAN)
    desk.fail(desk.claim(), SourceUnreadable())
    assert desk.statuses(job) | {"probe": TaskStatus.COMPLETED} == {
        "probe": TaskStatus.COMPLETED,
        "left": TaskStatus.FAILED,
        "right": TaskStatus.BLOCKED,
        "join": TaskStatus.BLOCKED,
    }
    assert desk.take() is None


def test_what_still_runs_when_its_job_fails_may_finish_but_releases_nothing(desk: Desk) -> None:
    job = desk.planned(*FAN, NewTask(name="after-right", kind="x", needs=["right"]), NewTask(name="idle", kind="x"))
    claims = desk.claims(2)
    desk.fail(claims["left"], SourceUnreadable())
    desk.finish(claims["right"], made("right.mp4"))
    assert desk.statuses(job) == {
        "probe": TaskStatus.COMPLETED,
        "left": TaskStatus.FAILED,
        "right": TaskStatus.COMPLETED,
        "join": TaskStatus.BLOCKED,
        "after-right": TaskStatus.BLOCKED,
        "idle": TaskStatus.BLOCKED,
    }
    assert desk.take() is None
    assert desk.status(job) is JobStatus.FAILED


@pytest.mark.parametrize("end", ["fail", "release", "crash"])
def test_what_still_runs_when_its_job_fails_is_held_afterwards(desk: Desk, end: str) -> None:
    job = desk.planned(*FAN)
    claims = desk.claims(2)
    desk.fail(claims["left"], SourceUnreadable())
    if end == "fail":
        desk.fail(claims["right"], ChildFailed())
    elif end == "release":
        desk.queue.release(claims["right"], NOTHING)
    else:
        desk.crash(claims["right"])
    assert desk.statuses(job)["right"] is TaskStatus.BLOCKED
    assert desk.row(job).failed_task == "left"


def test_the_first_of_several_failures_is_the_job_s_reason(desk: Desk) -> None:
    job = desk.planned(*FAN)
    claims = desk.claims(2)
    desk.fail(claims["left"], SourceUnreadable("first"))
    desk.fail(claims["right"], SourceUnreadable("second"))
    assert (desk.row(job).failed_task, desk.row(job).error_message) == ("left", "first")


def test_a_long_plan_is_written_and_queued_in_order(desk: Desk) -> None:
    plan = [NewTask(name=f"encode-{number:03}", kind="encode") for number in range(60)]
    desk.planned(*plan)
    assert [desk.claim().name for _ in range(60)] == [task.name for task in plan]
    assert desk.count(Task) == 61
