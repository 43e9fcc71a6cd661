"""Servers of their own, and a video that takes a while."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from standalone.running import MillProcess

from mill_common.settings import Settings
from mill_transcoder.binaries import find_binaries


@pytest.fixture
def mill_up(tmp_path: Path) -> Iterator[Callable[..., MillProcess]]:
    """Starts servers on one data folder and one port, and stops what is left of them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with ExitStack() as stack:

        def start(*, ready: bool = True, **settings: str) -> MillProcess:
            mill = MillProcess(tmp_path / "data", port, **settings)
            stack.callback(mill.stop)
            if ready:
                mill.await_ready()
            return mill

        yield start


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 s at 640x360 with sound; with a slow preset, seconds of work."""
    path = tmp_path_factory.mktemp("video") / "long.mp4"
    inputs = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=40", "-f", "lavfi", "-i", "sine=duration=40"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"]
    command = [find_binaries(Settings()).ffmpeg, "-nostdin", "-v", "error", *inputs, *codecs, str(path)]
    subprocess.run(command, check=True)
    return path
