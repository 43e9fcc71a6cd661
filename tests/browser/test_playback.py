"""J15: a browser plays the demo's stream with its captions, from a page on another site, and shifts time."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from server_process import free_port
from standalone.running import KEY, MillProcess
from waiting import wait_for

from mill_standalone.demo import SAMPLE

HERE = Path(__file__).parent
HLS_JS = HERE / "node_modules" / "hls.js" / "dist" / "hls.min.js"
PATIENCE_S = 270.0  # of a page that gives up by itself long before
SPOKEN = (SAMPLE.parent / "digits.txt").read_text().split()


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser that `scripts/bootstrap --browser` has installed."""
    found = shutil.which("chromium")
    if found is None or not HLS_JS.exists():
        pytest.fail("chromium or hls.js is not installed: scripts/bootstrap --browser", pytrace=False)
    return found


@pytest.fixture(scope="module")
def master_url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the stream of the demo's sample begins."""
    mill = MillProcess(tmp_path_factory.mktemp("mill") / "data", free_port())
    try:
        mill.await_ready()
        with httpx.Client(base_url=mill.url, headers={"X-API-Key": KEY}, timeout=60) as client:
            yield mill.url + _stream_of(client)
    finally:
        mill.stop()


def _stream_of(client: httpx.Client) -> str:
    sent = client.post("/api/v1/uploads", params={"filename": SAMPLE.name}, content=SAMPLE.read_bytes())
    job = client.post("/api/v1/jobs", json={"source": {"upload_id": sent.json()["id"]}}).json()
    url = f"/api/v1/jobs/{job['job_id']}"
    wait_for(lambda: client.get(url).json()["status"] not in ("queued", "processing"))
    done = client.get(url).json()
    assert done["status"] == "completed", done["error"]
    stream: str = done["outputs"]["hls"]["master_url"]
    return stream


class _Page(ThreadingHTTPServer):
    """A site of its own with the page, and where the page reports to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.report: dict[str, Any] | None = None
        self.reported = threading.Event()


class _Visit(BaseHTTPRequestHandler):
    server: _Page

    def do_GET(self) -> None:
        file, kind = (HLS_JS, "text/javascript") if self.path == "/hls.js" else (HERE / "player.html", "text/html")
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(file.read_bytes())

    def do_POST(self) -> None:
        self.server.report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.reported.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _served() -> Iterator[_Page]:
    page = _Page()
    thread = threading.Thread(target=page.serve_forever)
    thread.start()
    try:
        yield page
    finally:
        page.shutdown()
        thread.join()
        page.server_close()


@pytest.mark.browser
def test_a_page_elsewhere_plays_the_stream_with_captions_and_shifts_time(
    chromium: str, master_url: str, tmp_path: Path
) -> None:
    with _served() as page:
        url = f"http://127.0.0.1:{page.server_port}/#{quote(master_url, safe='')}"
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += ["--autoplay-policy=no-user-gesture-required", f"--user-data-dir={tmp_path}"]
        browser = subprocess.Popen([chromium, *options, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert page.reported.wait(PATIENCE_S), "the page has not finished playing"
        finally:
            browser.terminate()
            browser.wait(30)
        seen = page.report
    assert seen is not None
    assert not [error for error in seen["errors"] if error.startswith("Error") or "(fatal)" in error], seen["errors"]
    assert seen["ahead"] > 0.6 * seen["duration"], "it played on from where it was sent ahead"
    assert 0.2 < seen["back"] < 0.6 * seen["duration"], "and from where it was sent back"
    assert seen["width"] > 0 and seen["frames"] > 0, "there is a picture"
    assert seen["levels"] == [360, 720]
    said = " ".join(cue["text"] for cue in seen["cues"]).split()
    assert said and set(said) <= set(SPOKEN), said
    assert all(0 <= cue["start"] < cue["end"] <= seen["duration"] + 1 for cue in seen["cues"])
