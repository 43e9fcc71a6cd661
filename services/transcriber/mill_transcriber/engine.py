"""The speech model behind a lock: one child process, one transcription at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from mill_common.errors import (
    ChildFailed,
    ChildStalled,
    MillError,
    PermanentError,
    SourceUnreadable,
)
from mill_common.worker.context import TaskContext
from mill_transcriber.launch import launch, unavailable
from mill_transcriber.options import EngineOptions
from mill_transcriber.process import Answer, ChildGone, ChildProcess
from mill_transcriber.transcript import Segment, Transcript, in_order

GRACE_S = 10.0  # for a child to put its work down
_POLL_S = 0.2
_ENDS = ("done", "failed", "stopped")


class LanguageUnknown(PermanentError):
    """The speech model does not know the language asked for."""

    code = "language_unknown"


class Engine:
    """Transcribes, starting a child process when there is none and charging what it uses to the task."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self._lock = threading.Lock()
        self._ids = count(1)
        self._child: ChildProcess | None = None
        self._charged_s = 0.0  # processor time of this child that tasks know of

    @property
    def pid(self) -> int | None:
        """The child process that holds the model, or None where the model is not loaded."""
        child = self._child
        return child.pid if child and child.alive else None

    def transcribe(self, task: TaskContext, audio: Path, language: str | None, kind: str = "transcribe") -> Transcript:
        """What is said in 16 kHz mono sound, or the English for it if `kind` is "translate".

        Waits while another task uses the model.

        Raises:
            ModelUnavailable: The model cannot be loaded; the message says what to do.
            LanguageUnknown: The model does not know `language`.
            SourceUnreadable: The file is no such sound.
            ChildFailed: The child process ended; the next call starts another.
            ChildStalled: The child process hung and was ended.
            Stopped, DeadlineExceeded: Whatever `task.raise_if_stopped` raised.
        """
        order = {"do": "transcribe", "id": next(self._ids), "audio": str(audio), "language": language, "task": kind}
        with self._turn(task), self._charging(task):
            child = self._accepting(task, order)
            segments: list[Segment] = []
            with self._put_down_on_error(child, order):
                end = self._end(task, child, segments)
        if end["say"] == "failed":
            raise _failure(end)
        duration_s = end["duration_s"]
        return Transcript(
            segments=tuple(in_order(segments, duration_s)),
            duration_s=round(duration_s, 3),
            model=self.options.name,
            language=end["language"],
            task=kind,
            language_probability=None if language else end["probability"],
        )

    def close(self) -> None:
        """End the child process, if there is one, and free its memory."""
        with self._lock:
            self._drop()

    @contextmanager
    def _turn(self, task: TaskContext) -> Iterator[None]:
        while not self._lock.acquire(timeout=_POLL_S):
            task.raise_if_stopped()
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _charging(self, task: TaskContext) -> Iterator[None]:
        """Tell the task what its transcription used, and turn a child's end into an error."""
        try:
            yield
        except ChildGone as gone:
            raise ChildFailed(_epitaph(gone, self._child)) from gone
        finally:
            if child := self._child:
                self._charge(task, child)
                if not child.alive:
                    self._drop()

    def _charge(self, task: TaskContext, child: ChildProcess) -> None:
        used_s, self._charged_s = child.cpu_s - self._charged_s, child.cpu_s
        task.used(cpu_s=used_s, peak_memory=child.peak_memory, log_tail="\n".join(child.log))

    def _accepting(self, task: TaskContext, order: Answer) -> ChildProcess:
        """A child that has accepted the order. One that has just unloaded is replaced."""
        while True:
            child = self._loaded(task)
            with self._put_down_on_error(child, order):
                child.send(order)
                try:
                    answer = self._answer(task, child)
                except ChildGone as gone:
                    if gone.code:
                        raise
                    answer = {"say": "idle"}
            if answer["say"] == "accepted":
                return child
            self._drop()

    def _loaded(self, task: TaskContext) -> ChildProcess:
        if self._child and self._child.alive:
            return self._child
        self._drop()
        self._child = child = launch(self.options)
        task.progress(0.0, "loading the speech model")
        try:
            answer = self._answer(task, child)
        except ChildStalled as stalled:
            raise unavailable(self.options.name, f"it took longer than {self.options.stall_s:g} s") from stalled
        except MillError:
            child.close()
            raise
        if answer["say"] == "failed":
            child.close(GRACE_S)
            raise unavailable(self.options.name, answer["message"])
        child.pulse.on_cpu = answer["device"] == "cpu"
        return child

    def _end(self, task: TaskContext, child: ChildProcess, segments: list[Segment]) -> Answer:
        """Listen until the transcription ends; returns its last answer."""
        while (answer := self._answer(task, child))["say"] not in _ENDS:
            if answer["say"] == "heard":
                segments += map(Segment.from_json, answer["segments"])
                self._charge(task, child)
                task.progress(min(answer["until_s"] / max(answer["expected_s"], 0.01), 1.0), "transcribing")
        return answer

    def _answer(self, task: TaskContext, child: ChildProcess) -> Answer:
        while True:
            task.raise_if_stopped()
            answer = child.receive(_POLL_S)
            if answer is not None:
                return answer
            if child.pulse.still_s() > self.options.stall_s:
                child.close()
                raise ChildStalled(f"Transcription showed no life for {self.options.stall_s:g} s and was ended.")

    @contextmanager
    def _put_down_on_error(self, child: ChildProcess, order: Answer) -> Iterator[None]:
        try:
            yield
        except BaseException:
            _put_down(child, order["id"])
            raise

    def _drop(self) -> None:
        if self._child:
            self._child.close()
        self._child, self._charged_s = None, 0.0


def _put_down(child: ChildProcess, order_id: int) -> None:
    """Have a child leave an order, so that it can take another; end it if it doesn't in time."""
    child.send({"do": "stop", "id": order_id})
    deadline = time.monotonic() + GRACE_S
    try:
        while time.monotonic() < deadline:
            answer = child.receive(_POLL_S)
            if answer and answer.get("id") == order_id and answer["say"] in _ENDS:
                return
    except ChildGone:
        return
    child.close()


def _failure(answer: Answer) -> MillError:
    kinds: dict[str, type[MillError]] = {"speech": SourceUnreadable, "language": LanguageUnknown}
    return kinds[answer["error"]](answer["message"])


def _epitaph(gone: ChildGone, child: ChildProcess | None) -> str:
    last = child.log[-1] if child and child.log else ""
    return f"The transcription process {gone}{': ' if last else ''}{last}."
