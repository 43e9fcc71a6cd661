"""Stops the speech model's process as it opens what it is to listen to, as `turnstile.py` stops ffmpeg.

A transcriber is pointed at it by `PYTHONPATH`. What Python loads from there at its start watches which files the
model's process opens, and does nothing in any other process.
"""

from __future__ import annotations

from pathlib import Path

PROGRAM = """
import os, sys, time

def watch(event, arguments):
    if event == "open" and str(arguments[0]).endswith("/speech.wav"):
        met = os.open({folder!r} + "/met", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(met, b"%d\\n" % os.getpid())
        os.close(met)
        while os.path.exists({folder!r} + "/rule"):
            time.sleep(0.02)

if "mill_transcriber.child" in sys.orig_argv:
    sys.addaudithook(watch)
"""


class Ear:
    """The program, and whether it holds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        (folder / "sitecustomize.py").write_text(PROGRAM.format(folder=str(folder)))
        self.settings = {"PYTHONPATH": str(folder)}

    def hold(self) -> None:
        """From now on every model waits before it listens."""
        (self._folder / "rule").touch()

    def open(self) -> None:
        """Let those go on that wait."""
        (self._folder / "rule").unlink(missing_ok=True)

    def met(self) -> list[int]:
        """Process ids of the models that were to listen, one for each transcription."""
        try:
            return [int(line) for line in (self._folder / "met").read_text().splitlines()]
        except FileNotFoundError:
            return []
