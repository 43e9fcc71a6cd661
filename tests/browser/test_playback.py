"""J15: a browser plays the demo's stream with its captions, from a page on another site, and shifts time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from browser.site import Content, reported, served
from server_process import free_port
from standalone.running import KEY, MillProcess
from waiting import wait_for

from mill_standalone.demo import SAMPLE

HERE = Path(__file__).parent
HLS_JS = HERE / "node_modules" / "hls.js" / "dist" / "hls.min.js"
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


@pytest.mark.browser
def test_a_page_elsewhere_plays_the_stream_with_captions_and_shifts_time(
    chromium: str, master_url: str, tmp_path: Path
) -> None:
    paths: dict[str, Content] = {
        "/": lambda: ((HERE / "player.html").read_bytes(), "text/html"),
        "/hls.js": lambda: (HLS_JS.read_bytes(), "text/javascript"),
    }
    with served(paths) as site:
        fragment = quote(master_url, safe="")
        seen = reported(
            chromium, site, tmp_path, fragment=fragment, options=("--autoplay-policy=no-user-gesture-required",)
        )
    assert not [error for error in seen["errors"] if error.startswith("Error") or "(fatal)" in error], seen["errors"]
    assert seen["ahead"] > 0.6 * seen["duration"], "it played on from where it was sent ahead"
    assert 0.2 < seen["back"] < 0.6 * seen["duration"], "and from where it was sent back"
    assert seen["width"] > 0 and seen["frames"] > 0, "there is a picture"
    assert seen["levels"] == [360, 720]
    said = " ".join(cue["text"] for cue in seen["cues"]).split()
    assert said and set(said) <= set(SPOKEN), said
    assert all(0 <= cue["start"] < cue["end"] <= seen["duration"] + 1 for cue in seen["cues"])
