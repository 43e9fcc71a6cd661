"""The process that holds the speech model: `python -m mill_transcriber.child PARENT_PID`.

It reads orders as JSON lines from standard input and answers on standard output. The first line is its
`EngineOptions`. Orders are `{"do": "transcribe", "id", "audio", "language", "task"}` and `{"do": "stop", "id"}`;
answers are `ready`, `accepted`, `alive`, `heard`, `done`, `stopped`, `failed` and `idle`. The end of standard input, or
of the parent, is its end.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

from mill_transcriber.decoding import Decoder, UnknownLanguage
from mill_transcriber.loading import Loaded, NotLoaded, load
from mill_transcriber.options import EngineOptions
from mill_transcriber.pipe import Pipe, forget_peak
from mill_transcriber.speech import NotSpeech
from mill_transcriber.transcribing import Transcription

_PR_SET_PDEATHSIG = 1
Order = dict[str, Any]


class Interrupted(Exception):
    """The parent wants the order put down."""


class Orders:
    """What the parent asks for, read by a thread of its own so that a stop is seen at once."""

    def __init__(self, pipe: Pipe) -> None:
        self._waiting: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._stopped: int | None = None
        threading.Thread(target=self._read, args=(pipe,), name="orders", daemon=True).start()

    def _read(self, pipe: Pipe) -> None:
        for order in pipe:
            if order.get("do") == "stop":
                self._stopped = order["id"]
            else:
                self._waiting.put(order)
        os._exit(0)

    def next(self, timeout_s: float | None = None) -> Order:
        """The next order. Raises `queue.Empty` if none comes in time."""
        return self._waiting.get(timeout=timeout_s)

    def check(self, order_id: int) -> None:
        """Raise `Interrupted` if the order was stopped."""
        if self._stopped == order_id:
            raise Interrupted


def serve(pipe: Pipe) -> None:
    """Load the model, then do orders until none comes for long enough."""
    orders = Orders(pipe)
    options = EngineOptions(**orders.next())
    try:
        loaded = load(options)
    except NotLoaded as error:
        pipe.say("failed", error="model", message=str(error))
        return
    pipe.say("ready", device=loaded.device)
    try:
        while True:
            do(orders.next(options.idle_s), loaded, options, orders, pipe)
    except queue.Empty:
        pipe.say("idle")


def do(order: Order, loaded: Loaded, options: EngineOptions, orders: Orders, pipe: Pipe) -> None:
    """Do one order. Errors that are nobody's fault but ours end the process, and its log tells them."""
    say = partial(pipe.say, id=order["id"])
    forget_peak()
    say("accepted")
    try:
        decoder = Decoder(loaded.model, language=order["language"], task=order["task"], beam=options.beam)
        check = partial(orders.check, order["id"])
        Transcription(loaded, Path(order["audio"]), decoder, check, say).run(options.batch)
    except Interrupted:
        say("stopped")
    except NotSpeech as error:
        say("failed", error="speech", message=str(error))
    except UnknownLanguage as error:
        say("failed", error="language", message=str(error))


def die_with(parent: int) -> None:
    """Ask the kernel to end this process with its parent, however that ends."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    serve(Pipe.take_over())
    # Not sys.exit: the thread that reads orders waits in a read that the interpreter cannot end.
    os._exit(0)
