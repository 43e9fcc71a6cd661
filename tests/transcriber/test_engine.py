import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from transcriber.sounds import TEXTS, digits, spoken, write
from transcriber.speech_task import SpeechTask

from mill_common.errors import ChildFailed, ChildStalled, ModelUnavailable, TaskCancelled
from mill_common.settings import Settings
from mill_transcriber.engine import Engine
from mill_transcriber.handlers import options_from
from mill_transcriber.transcript import Transcript

LONG_S = 180


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """An engine of the test's own, which decodes chunk by chunk."""
    made = Engine(replace(options_from(settings), batch=1))
    yield made
    made.close()


@pytest.fixture
def task(tmp_path: Path, settings: Settings) -> SpeechTask:
    return SpeechTask(tmp_path / "task", settings)


@pytest.fixture(scope="session")
def long_speech(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    sound, words = digits(LONG_S)
    return write(tmp_path_factory.mktemp("speech") / "long.wav", sound), words


@pytest.fixture
def short_speech(tmp_path: Path) -> Path:
    return write(tmp_path / "short.wav", spoken("four_digits"))


def said(transcript: Transcript) -> list[str]:
    return transcript.text.split()


def until(condition: Callable[[], bool], *, limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def at_first_progress(task: SpeechTask, act: Callable[[], None]) -> None:
    """Have the task act once, when some of the speech is transcribed."""

    def react(fraction: float) -> None:
        if fraction > 0:
            task.on_progress = lambda later: None
            act()

    task.on_progress = react


def another(task: SpeechTask) -> SpeechTask:
    """A task that comes after this one."""
    return SpeechTask(task.folder / "another" / uuid4().hex, task.settings)


def kill(engine: Engine, sent: int) -> None:
    assert engine.pid is not None
    os.kill(engine.pid, sent)


def test_progress_rises_while_the_speech_is_transcribed(
    engine: Engine, task: SpeechTask, long_speech: tuple[Path, list[str]]
) -> None:
    path, words = long_speech
    transcript = engine.transcribe(task, path, None)
    assert said(transcript) == words
    assert task.fractions == sorted(task.fractions)
    assert len([fraction for fraction in task.fractions if 0 < fraction < 0.9]) >= 3
    assert transcript.duration_s >= LONG_S


def test_a_task_is_charged_what_its_child_used(engine: Engine, task: SpeechTask, short_speech: Path) -> None:
    engine.transcribe(task, short_speech, None)
    second = another(task)
    engine.transcribe(second, short_speech, None)
    assert engine.pid is not None
    used = psutil.Process(engine.pid).cpu_times()
    assert 0 < second.cpu_s < task.cpu_s
    assert task.cpu_s + second.cpu_s <= used.user + used.system + 0.05
    assert task.peak_memory > 20 * 2**20


def test_memory_does_not_grow_with_the_sound(
    settings: Settings, long_speech: tuple[Path, list[str]], tmp_path: Path
) -> None:
    peaks = []
    for name, seconds in (("short", 31), ("long", LONG_S)):
        engine = Engine(replace(options_from(settings), batch=1))
        task = SpeechTask(tmp_path / name, settings)
        engine.transcribe(task, write(tmp_path / f"{name}.wav", digits(seconds)[0]), None)
        engine.close()
        peaks.append(task.peak_memory)
    # Windows of two minutes and their speech detection, but neither the sound nor its features as a whole.
    assert peaks[1] - peaks[0] < 128 * 2**20


def test_a_cancel_ends_the_transcription_and_the_child_takes_the_next(
    engine: Engine, task: SpeechTask, long_speech: tuple[Path, list[str]], short_speech: Path
) -> None:
    engine.transcribe(another(task), short_speech, None)
    pid = engine.pid
    assert pid is not None
    at_first_progress(task, lambda: task.put_down(TaskCancelled()))
    with pytest.raises(TaskCancelled):
        engine.transcribe(task, long_speech[0], None)
    following = another(task)
    assert said(engine.transcribe(following, long_speech[0], None)) == long_speech[1]
    assert engine.pid == pid
    # The first of six windows was transcribed, and the second may have been under way.
    assert task.cpu_s < 0.6 * following.cpu_s


def test_a_cancel_ends_a_child_that_does_not_answer(
    engine: Engine,
    task: SpeechTask,
    long_speech: tuple[Path, list[str]],
    short_speech: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mill_transcriber.engine.GRACE_S", 0.5)
    hung: list[int | None] = []

    def hang_and_cancel() -> None:
        hung.append(engine.pid)
        kill(engine, signal.SIGSTOP)
        task.put_down(TaskCancelled())

    at_first_progress(task, hang_and_cancel)
    with pytest.raises(TaskCancelled):
        engine.transcribe(task, long_speech[0], None)
    assert hung[0] is not None
    assert is_gone(hung[0])
    assert said(engine.transcribe(another(task), short_speech, None)) == TEXTS["four_digits"].split()


def test_a_killed_child_fails_the_task_and_the_next_gets_another(
    engine: Engine, task: SpeechTask, long_speech: tuple[Path, list[str]], short_speech: Path
) -> None:
    at_first_progress(task, lambda: kill(engine, signal.SIGKILL))
    with pytest.raises(ChildFailed, match="killed by signal 9"):
        engine.transcribe(task, long_speech[0], None)
    assert said(engine.transcribe(another(task), short_speech, None)) == TEXTS["four_digits"].split()


def test_a_child_killed_between_tasks_is_replaced(engine: Engine, task: SpeechTask, short_speech: Path) -> None:
    engine.transcribe(task, short_speech, None)
    kill(engine, signal.SIGKILL)
    until(lambda: engine.pid is None)
    assert said(engine.transcribe(another(task), short_speech, None)) == TEXTS["four_digits"].split()


def test_a_hung_child_is_ended(settings: Settings, task: SpeechTask, long_speech: tuple[Path, list[str]]) -> None:
    engine = Engine(replace(options_from(settings), batch=1, stall_s=3.0))
    hung: list[int | None] = []

    def hang() -> None:
        hung.append(engine.pid)
        kill(engine, signal.SIGSTOP)

    at_first_progress(task, hang)
    with pytest.raises(ChildStalled):
        engine.transcribe(task, long_speech[0], None)
    assert hung[0] is not None
    assert is_gone(hung[0])
    assert engine.pid is None


def test_an_idle_child_unloads_the_model_and_comes_back(settings: Settings, task: SpeechTask, tmp_path: Path) -> None:
    engine = Engine(replace(options_from(settings), idle_s=0.3))
    speech = write(tmp_path / "speech.wav", spoken("five_digits"))
    engine.transcribe(task, speech, None)
    until(lambda: engine.pid is None)
    assert said(engine.transcribe(another(task), speech, None)) == TEXTS["five_digits"].split()
    engine.close()


def test_threads_take_turns_on_one_child(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    heard: dict[str, list[str]] = {}
    pids = set()

    def work(name: str) -> None:
        speech = write(tmp_path / f"{name}.wav", spoken(name))
        heard[name] = said(engine.transcribe(SpeechTask(tmp_path / name, settings), speech, None))
        pids.add(engine.pid)

    threads = [threading.Thread(target=work, args=(name,)) for name in TEXTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {name: text.split() for name, text in TEXTS.items()}
    assert len(pids) == 1


def test_a_task_that_waits_for_its_turn_can_be_cancelled(
    engine: Engine, task: SpeechTask, long_speech: tuple[Path, list[str]]
) -> None:
    waiting = another(task)
    waiting.put_down(TaskCancelled())
    refused: list[bool] = []

    def wait_in_vain() -> None:
        with pytest.raises(TaskCancelled):
            engine.transcribe(waiting, long_speech[0], None)
        refused.append(True)

    def try_meanwhile() -> None:
        thread = threading.Thread(target=wait_in_vain)
        thread.start()
        thread.join()

    at_first_progress(task, try_meanwhile)
    assert said(engine.transcribe(task, long_speech[0], None)) == long_speech[1]
    assert refused == [True]


def test_an_unknown_model_fails_at_once_without_a_network(
    settings: Settings, task: SpeechTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for name, reason in (("nonsense", "Invalid model size"), ("small", "HF_HUB_OFFLINE")):
        engine = Engine(replace(options_from(settings), model=name, name=name))
        with pytest.raises(ModelUnavailable, match=rf"'{name}' cannot be loaded: .*{reason}.*Set MILL_WHISPER_MODEL"):
            engine.transcribe(task, tmp_path, None)
        assert engine.pid is None


def test_a_network_that_never_answers_ends_the_wait(
    settings: Settings, task: SpeechTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        engine = Engine(replace(options_from(settings), model="small", name="small", stall_s=3.0))
        with pytest.raises(ModelUnavailable, match=r"'small' cannot be loaded: .*Set MILL_WHISPER_MODEL"):
            engine.transcribe(task, tmp_path, None)
    assert engine.pid is None


def test_a_cancel_while_the_model_is_loaded_ends_the_child(
    engine: Engine, task: SpeechTask, short_speech: Path
) -> None:
    task.on_progress = lambda fraction: task.put_down(TaskCancelled())
    with pytest.raises(TaskCancelled):
        engine.transcribe(task, short_speech, None)
    assert engine.pid is None
    assert said(engine.transcribe(another(task), short_speech, None)) == TEXTS["four_digits"].split()


def test_a_broken_model_file_is_told(settings: Settings, task: SpeechTask, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\0" * 64)
    engine = Engine(replace(options_from(settings), model=str(tmp_path), name="broken"))
    with pytest.raises(ModelUnavailable, match="'broken' cannot be loaded"):
        engine.transcribe(task, tmp_path, None)


PARENT = """
import sys
from pathlib import Path
from transcriber.speech_task import SpeechTask
from mill_common.settings import Settings
from mill_transcriber.handlers import engine_for, options_from

settings = Settings(whisper_model="tiny-digits", whisper_batch=1)
task = SpeechTask(Path(sys.argv[1]), settings)
engine = engine_for(options_from(settings))
task.on_progress = lambda fraction: fraction and print(engine.pid, flush=True)
engine.transcribe(task, Path(sys.argv[2]), None)
"""


def test_the_child_dies_with_a_killed_parent(tmp_path: Path, long_speech: tuple[Path, list[str]]) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "task"), str(long_speech[0])]
    tests = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(tests)}) as parent:
        assert parent.stdout is not None
        pid = int(json.loads(parent.stdout.readline()))
        assert psutil.Process(pid).ppid() == parent.pid
        parent.kill()
    until(lambda: is_gone(pid))
