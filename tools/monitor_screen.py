"""Capture `mill monitor` in tmux while ten jobs run: `python -m tools.monitor_screen`. Needs tmux and unshare.

The screen goes into docs/operations.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mill_client import Client, MillClientError
from mill_standalone.demo import SAMPLE

PAGE = Path(__file__).parents[1] / "docs/operations.md"
MILL = Path(sys.executable).with_name("mill")
KEY = "a-key-for-the-screen"
HOST, PORT, WIDTH, HEIGHT = "mill-1", 8000, 80, 24
JOBS = 10
SETTINGS = {
    "MILL_ADMIN_KEY": KEY,
    "MILL_TRANSCODER_THREADS": "2",
    "MILL_ENCODE_PRESET": "slow",
    "MILL_WHISPER_MODEL": "tiny-digits",
}
PATIENCE_S = 300.0


def capture(folder: Path) -> str:
    """The screen of a server that works on ten jobs."""
    environment = {**os.environ, **SETTINGS}
    serve = ["unshare", "--map-root-user", "--uts", "sh", "-c", f'hostname {HOST} && exec "$@"', "sh"]
    up = [*serve, str(MILL), "up", "--port", str(PORT), "--data", str(folder / "data")]
    with (folder / "log").open("wb") as log, subprocess.Popen(up, env=environment, stdout=log, stderr=log) as server:
        try:
            with Client(f"http://127.0.0.1:{PORT}", KEY) as client:
                _until(lambda: _is_ready(client))
                _submit(client, folder)
                return _watch(client, folder / "tmux")
        finally:
            server.terminate()


def _is_ready(client: Client) -> bool:
    try:
        client.check_ready()
    except MillClientError:
        return False
    return True


def _submit(client: Client, folder: Path) -> None:
    (folder / "broken.mp4").write_bytes(b"no video")
    client.submit(folder / "broken.mp4")
    for number in range(1, JOBS + 1):
        client.submit(shutil.copy(SAMPLE, folder / f"lecture-{number:02}.mp4"))


def _watch(client: Client, socket: Path) -> str:
    tmux = ["tmux", "-S", str(socket)]
    command = f"MILL_URL={client.url} MILL_API_KEY={KEY} {MILL} monitor"
    size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
    subprocess.run([*tmux, "-f", "/dev/null", "-u", "new-session", "-d", *size, command], check=True)
    try:
        _until(lambda: _is_busy(client))
        time.sleep(3.0)  # until it has looked again
        shown = subprocess.run([*tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True)
        return "\n".join(line.rstrip() for line in shown.stdout.splitlines()).strip("\n")
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)


def _is_busy(client: Client) -> bool:
    """Whether there is something to see in every section, and no job has ended."""
    running, hour = client.monitoring.active_tasks(), client.monitoring.stats(hours=1)
    return len(running) > 1 and any(task.progress > 0.2 for task in running) and hour.successful_operations >= 6


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("there is nothing to see")
        time.sleep(0.5)


def main() -> None:
    """Put a new screen where the old one stands."""
    with tempfile.TemporaryDirectory() as folder:
        screen = capture(Path(folder))
    page, count = re.subn(r"```\nmediamill http.*?\n```", lambda _: f"```\n{screen}\n```", PAGE.read_text(), flags=re.S)
    if count != 1:
        raise LookupError(f"{count} screens on {PAGE.name}")
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
