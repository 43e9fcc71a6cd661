"""The transcriber dies, its child dies, hangs or is deaf, and jobs are cancelled while it listens."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psutil
import pytest
from faults.clip import make_speech
from faults.cluster import SPEC, Cluster
from faults.ear import Ear
from faults.processes import Process
from faults.recovery import Recovery

from mill_common.models import Outcome, Task
from mill_common.spec import TranscriptSpec
from mill_common.states import JobStatus

SPEECH_S = 60
HEARD = SPEC.model_copy(update={"transcript": TranscriptSpec()})
EARS = {"MILL_WHISPER_MODEL": "tiny-digits", "MILL_WHISPER_DEVICE": "cpu", "MILL_WHISPER_BATCH": "1"}


class Listening(NamedTuple):
    """A job whose transcription has begun, with its model's process stopped as it begins to listen."""

    job: UUID
    task: Task
    worker: Process
    child: psutil.Process
    ear: Ear

    @property
    def gone(self) -> bool:
        return not self.child.is_running() or self.child.status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_speech(tmp_path_factory.mktemp("speech"), SPEECH_S)


def listen(cluster: Cluster, speech: Path, **settings: str) -> Listening:
    """Start the services and stop the model's process when a transcription has begun."""
    ear = Ear(cluster.folder / "ear")
    ear.hold()
    cluster.start("watchdog")
    cluster.start("transcoder")
    worker = cluster.start("transcriber", settings={**EARS, **ear.settings, **settings})
    job = cluster.job(of=speech, spec=HEARD)
    cluster.until(ear.met)
    [number] = ear.met()
    child = psutil.Process(number)
    child.suspend()
    ear.open()
    task = cluster.until(lambda: cluster.running("transcribe"))
    return Listening(job, task, worker, child, ear)


@pytest.mark.fault(
    "transcriber: kill -9 while it listens", "the model's process dies with it; another one listens again"
)
def test_a_transcriber_killed_while_it_listens_is_replaced(cluster: Cluster, recovery: Recovery, speech: Path) -> None:
    met = listen(cluster, speech)
    met.worker.kill()
    with recovery:
        cluster.until(lambda: met.gone)
        cluster.start("transcriber", settings=EARS)
        cluster.until_completed(met.job)
    assert cluster.outcomes(met.task.id) == [Outcome.LEASE_EXPIRED, Outcome.COMPLETED]


@pytest.mark.fault("speech model's process: kill -9", "a failed attempt, and the next one, with a new process, does it")
def test_a_model_process_that_was_killed_costs_one_attempt(cluster: Cluster, recovery: Recovery, speech: Path) -> None:
    met = listen(cluster, speech)
    met.child.kill()
    with recovery:
        cluster.until_completed(met.job)
    assert cluster.outcomes(met.task.id) == [Outcome.RETRYING, Outcome.COMPLETED]
    assert cluster.desk.attempts(met.task.id)[0].error_code == "child_failed"
    assert cluster.desk.task(met.task.id).attempts == 2


@pytest.mark.fault(
    "speech model hangs", "ended when it shows no life for `MILL_STALL_S` (here 5 s); the step is done again"
)
def test_a_model_that_hangs_is_ended(cluster: Cluster, recovery: Recovery, speech: Path) -> None:
    met = listen(cluster, speech, MILL_STALL_S="5")
    with recovery:
        cluster.until(lambda: met.gone)
        cluster.until_completed(met.job)
    assert cluster.outcomes(met.task.id) == [Outcome.RETRYING, Outcome.COMPLETED]
    assert cluster.desk.attempts(met.task.id)[0].error_code == "child_stalled"


@pytest.mark.fault("cancel while a transcription runs", "it is put down, and the same process listens to the next")
def test_a_job_cancelled_while_it_is_listened_to(cluster: Cluster, recovery: Recovery, speech: Path) -> None:
    met = listen(cluster, speech)
    cluster.desk.cancel(met.job)
    with recovery:
        met.child.resume()
        cluster.until_ended(met.job)
    assert cluster.outcomes(met.task.id) == [Outcome.CANCELLED]
    cluster.until_completed(cluster.job(of=speech, spec=HEARD))
    assert met.ear.met() == [met.child.pid] * 2
    assert met.worker.stop() == 0
    assert met.gone


@pytest.mark.fault("a speech model that is deaf, and a cancellation", "its process is killed after ten seconds")
def test_a_deaf_model_is_killed_when_its_job_is_cancelled(cluster: Cluster, recovery: Recovery, speech: Path) -> None:
    met = listen(cluster, speech)
    cluster.desk.cancel(met.job)
    with recovery:
        cluster.until_ended(met.job)
    assert met.gone
    assert cluster.outcomes(met.task.id) == [Outcome.CANCELLED]
    cluster.until_completed(cluster.job(of=speech, spec=HEARD))


@pytest.mark.fault(
    "transcriber: SIGSTOP past its lease, then SIGCONT", "another one listens; the late one writes nothing"
)
def test_a_transcriber_that_overslept_its_lease_writes_nothing(
    cluster: Cluster, recovery: Recovery, speech: Path
) -> None:
    met = listen(cluster, speech)
    met.worker.signal(signal.SIGSTOP)
    met.child.resume()
    cluster.start("transcriber", settings=EARS)
    with recovery:
        cluster.until_completed(met.job)
    met.worker.signal(signal.SIGCONT)
    cluster.until(lambda: met.worker.said("lease_lost"))
    assert cluster.outcomes(met.task.id) == [Outcome.LEASE_EXPIRED, Outcome.COMPLETED]


@pytest.mark.fault("transcriber: SIGTERM while it listens", "its work is handed back and refunded; no process is left")
def test_a_transcriber_that_is_stopped_hands_its_work_back(cluster: Cluster, recovery: Recovery, speech: Path) -> None:
    met = listen(cluster, speech, MILL_STOP_GRACE_S="0")
    with recovery:
        assert met.worker.stop() == 0
        assert met.gone
        cluster.start("transcriber", settings=EARS)
        cluster.until_completed(met.job)
    assert cluster.status(met.job) is JobStatus.COMPLETED
    assert cluster.outcomes(met.task.id) == [Outcome.HANDED_BACK, Outcome.COMPLETED]
