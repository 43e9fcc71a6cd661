"""A real runner with small handlers, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from common.workshop import NEVER_S, Held, Workshop, plan, store_text, until

from mill_common.database import Database
from mill_common.errors import ChildFailed, SourceUnreadable
from mill_common.models import Outcome
from mill_common.queue import NewTask, TaskResult
from mill_common.states import JobStatus, TaskStatus
from mill_common.worker import TaskContext


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Workshop]:
    """A worker that looks often and whose lease nobody waits for."""
    url = database.engine.url.render_as_string(hide_password=False)
    with closing(Workshop(tmp_path / "data", url)) as shop:
        yield shop


@pytest.fixture
def quick(database: Database, tmp_path: Path) -> Iterator[Workshop]:
    """A worker with a lease of a second and a half."""
    url = database.engine.url.render_as_string(hide_password=False)
    with closing(Workshop(tmp_path / "data", url, lease_s=1.5, heartbeat_s=0.3)) as shop:
        yield shop


def test_a_job_of_several_tasks_runs_to_completion(shop: Workshop) -> None:
    def shout(task: TaskContext) -> TaskResult:
        heard = task.fetch("words.txt").read_text()
        path = task.scratch / "shout.txt"
        path.write_text(heard.upper() + task.result_of("words")["mark"])
        task.put(path, "shout.txt", kind="text", content_type="text/plain")
        return TaskResult()

    def words(task: TaskContext) -> TaskResult:
        store_text(task, "words.txt", intermediate=True)
        return TaskResult(result={"mark": task.params["mark"]})

    planned = [
        NewTask(name="words", kind="words", params={"mark": "!"}),
        NewTask(name="shout", kind="shout", needs=["words"]),
        NewTask(name="publish", kind="publish", needs=["shout"]),
    ]
    job = shop.desk.job()
    handlers = {"probe": plan(*planned), "words": words, "shout": shout, "publish": lambda _: TaskResult(publish=True)}
    with shop.working(handlers):
        shop.ends(job, JobStatus.COMPLETED)
        until(lambda: len(shop.objects()) == 1)
    (output,) = shop.desk.outputs(job).values()
    assert b"".join(shop.resources.store.get(output.object_key)) == b"WORDS.TXT!"
    assert output.published_at is not None
    assert shop.scratch() == []


def test_a_tree_is_stored_and_fetched_whole(shop: Workshop) -> None:
    seen = []

    def package(task: TaskContext) -> TaskResult:
        folder = task.scratch / "hls"
        (folder / "360p").mkdir(parents=True)
        (folder / "master.m3u8").write_text("#EXTM3U")
        (folder / "360p" / "1.m4s").write_text("segment")
        task.put_tree(folder, "hls/", kind="hls")
        return TaskResult(tasks=[NewTask(name="look", kind="look")])

    def look(task: TaskContext) -> TaskResult:
        tree = task.fetch("hls/")
        seen.extend(sorted((str(path.relative_to(tree)), path.read_text()) for path in tree.rglob("*.*")))
        return TaskResult()

    job = shop.desk.job()
    with shop.working({"probe": package, "look": look}):
        shop.ends(job, JobStatus.COMPLETED)
    assert seen == [("360p/1.m4s", "segment"), ("master.m3u8", "#EXTM3U")]


def test_a_permanent_error_fails_the_job_at_once_and_leaves_nothing(shop: Workshop) -> None:
    def probe(task: TaskContext) -> TaskResult:
        store_text(task, "half.txt")
        raise SourceUnreadable("no picture")

    job = shop.desk.job()
    with shop.working({"probe": probe}):
        shop.ends(job, JobStatus.FAILED)
    assert (shop.desk.row(job).error_code, shop.desk.row(job).error_message) == ("source_unreadable", "no picture")
    assert (shop.objects(), shop.scratch(), shop.desk.outputs(job)) == ([], [], {})


@pytest.mark.parametrize("error", [ChildFailed("signal 9"), ZeroDivisionError()], ids=["transient", "defect"])
def test_any_other_error_is_tried_again_without_what_the_attempt_made(shop: Workshop, error: Exception) -> None:
    attempts: list[Path] = []

    def probe(task: TaskContext) -> TaskResult:
        store_text(task, f"half-{len(attempts)}.txt")
        attempts.append(task.scratch)
        if len(attempts) < 3:
            raise error
        return TaskResult(publish=True)

    job = shop.desk.job()
    with shop.working({"probe": probe}):
        shop.ends(job, JobStatus.COMPLETED)
    assert len(set(attempts)) == 3
    assert set(shop.desk.outputs(job)) == {"half-2.txt"}
    assert [Path(key).name for key in shop.objects()] == ["half-2.txt"]
    assert shop.scratch() == []


def test_a_task_that_nobody_knows_is_a_dead_letter(shop: Workshop) -> None:
    job = shop.desk.job()
    with shop.working({}):
        shop.ends(job, JobStatus.FAILED)
    assert shop.desk.row(job).error_code == "unknown_kind"


def test_a_cancelled_task_stops_and_leaves_nothing(quick: Workshop) -> None:
    held = Held()
    job = quick.desk.job()
    with quick.working({"probe": held}):
        assert held.began.wait(30)
        quick.desk.cancel(job)
        until(lambda: quick.desk.statuses(job) == {"probe": TaskStatus.CANCELLED})
        until(lambda: quick.scratch() == [])
    assert held.reasons == ["TaskCancelled"]
    assert (quick.objects(), quick.desk.outputs(job)) == ([], {})
    assert quick.desk.attempts(quick.desk.tasks(job)["probe"].id)[0].outcome is Outcome.CANCELLED


def test_a_worker_that_is_stopped_hands_its_task_back(shop: Workshop) -> None:
    held = Held()
    job = shop.desk.job()
    with shop.working({"probe": held}):
        assert held.began.wait(30)
    task = shop.desk.tasks(job)["probe"]
    assert (task.status, task.attempts, task.epoch, task.crashes) == (TaskStatus.QUEUED, 0, 1, 0)
    assert held.reasons == ["ShuttingDown"]
    assert (shop.objects(), shop.scratch()) == ([], [])
    assert shop.desk.claim().attempts == 1


def test_a_stopped_worker_s_cancelled_task_is_cancelled(shop: Workshop) -> None:
    held = Held()
    job = shop.desk.job()
    with shop.working({"probe": held}):
        assert held.began.wait(30)
        shop.desk.cancel(job)
    assert shop.desk.statuses(job) == {"probe": TaskStatus.CANCELLED}


def test_a_slow_handler_keeps_its_lease(quick: Workshop) -> None:
    held = Held()
    job = quick.desk.job()
    with quick.working({"probe": held}):
        assert held.began.wait(30)
        first = quick.desk.tasks(job)["probe"].lease_until
        assert first is not None
        # Long enough for the first lease to have run out.
        until(lambda: (beat := quick.desk.tasks(job)["probe"].heartbeat_at) is not None and beat > first)
        assert quick.resources.queue.reap_expired() == 0
        held.let_go.set()
        quick.ends(job, JobStatus.COMPLETED)
    assert quick.desk.tasks(job)["probe"].epoch == 1


def test_a_worker_that_lost_its_lease_stops_and_leaves_nothing(quick: Workshop) -> None:
    held = Held()
    job = quick.desk.job()
    with quick.working({"probe": held}, slots=1) as runner:
        assert held.began.wait(30)
        (task,) = quick.desk.tasks(job).values()
        with quick.database().write() as session:  # as a sweep and another worker would
            stolen = session.get_one(type(task), task.id)
            stolen.epoch += 1
            stolen.worker = "thief"
        until(lambda: held.reasons == ["LeaseLost"])
        until(runner.idle.is_set)
        assert (quick.objects(), quick.scratch()) == ([], [])
        assert (quick.desk.task(task.id).status, quick.desk.task(task.id).worker) == (TaskStatus.RUNNING, "thief")


def test_a_task_past_its_deadline_is_stopped_and_retried(database: Database, tmp_path: Path) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    with closing(Workshop(tmp_path, url, heartbeat_s=0.1, task_deadline_s=0.2, max_attempts=1)) as shop:
        job = shop.desk.job()
        with shop.working({"probe": Held()}):
            shop.ends(job, JobStatus.FAILED)
        assert shop.desk.row(job).error_code == "deadline_exceeded"


def test_progress_reaches_the_job_while_the_task_runs(quick: Workshop) -> None:
    held = Held()

    def encode(task: TaskContext) -> TaskResult:
        task.progress(0.5, "encode")
        return held(task)

    job = quick.desk.job()
    with quick.working({"probe": plan(NewTask(name="encode", kind="encode")), "encode": encode}):
        until(lambda: quick.desk.row(job).progress > 0.7)
        assert quick.desk.tasks(job)["encode"].stage == "encode"
        held.let_go.set()
        quick.ends(job, JobStatus.COMPLETED)


def test_a_chain_of_tasks_waits_for_no_poll(database: Database, tmp_path: Path) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    chain = [NewTask(name=f"step-{n}", kind="step", needs=[f"step-{n - 1}"] if n else []) for n in range(5)]
    with closing(Workshop(tmp_path, url, poll_s=NEVER_S)) as shop:
        job = shop.desk.job()  # before the worker starts: it looks once by itself
        with shop.working({"probe": plan(*chain), "step": lambda _: TaskResult()}, slots=1):
            shop.ends(job, JobStatus.COMPLETED)
