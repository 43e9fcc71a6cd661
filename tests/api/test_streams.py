from __future__ import annotations

import time
from urllib.parse import urljoin
from uuid import UUID

import httpx
import pytest
from api.running import Gateway, complete, submit

from mill_api.outputs.tokens import make_token
from mill_common.settings import Settings
from mill_common.signing import Signer

FILES = {
    "hls/master.m3u8": b"#EXTM3U\n360p.m3u8\n",
    "hls/360p.m3u8": b"#EXTM3U\n360p/1.m4s\n",
    "hls/360p/1.m4s": b"segment one",
    "360p.mp4": b"film",
}
FACTS = {"hls/": {"renditions": {"360p": {"playlist": "360p.m3u8", "segments": 1}}}}


def streamed(gateway: Gateway, owner: httpx.Client) -> tuple[UUID, str]:
    """A job with a stream: its id and where the stream begins."""
    job_id = submit(owner)
    complete(gateway.resources, FILES, facts=FACTS)
    url: str = owner.get(f"/api/v1/jobs/{job_id}").json()["outputs"]["hls"]["master_url"]
    return UUID(job_id), url


def test_a_player_follows_relative_entries_without_a_key(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        _, master_url = streamed(any_gateway, ada)
    with any_gateway.client() as player:
        master = player.get(master_url)
        assert master.status_code == 200, master.text
        assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
        playlist_url = urljoin(master_url, master.text.split()[-1])
        playlist = player.get(playlist_url)
        segment = player.get(urljoin(playlist_url, playlist.text.split()[-1]), headers={"Range": "bytes=0-6"})
    assert (segment.status_code, segment.content) == (206, b"segment")
    assert segment.headers["content-type"] == "video/mp4"


def test_whoever_begins_in_time_may_play_to_the_end(gateway: Gateway, ada: httpx.Client) -> None:
    earliest = int(time.time()) + gateway.resources.settings.link_expires_s + 12  # the source lasts 12.5 s
    _, url = streamed(gateway, ada)
    assert int(url.split("/")[3].split(".")[0]) >= earliest


def test_any_page_may_play_a_stream(gateway: Gateway, ada: httpx.Client) -> None:
    _, url = streamed(gateway, ada)
    origin = {"Origin": "https://player.example"}
    with gateway.client() as player:
        assert player.get(url, headers=origin).headers["access-control-allow-origin"] == "*"
        asks = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
        preflight = player.options(url, headers=asks)
    assert preflight.status_code == 200
    assert "GET" in preflight.headers["access-control-allow-methods"]
    assert "access-control-allow-origin" not in ada.get("/api/v1/jobs", headers=origin).headers


def test_a_token_opens_one_jobs_stream_and_nothing_else(gateway: Gateway, ada: httpx.Client) -> None:
    job_id, url = streamed(gateway, ada)
    other_id, _ = streamed(gateway, ada)
    token = url.split("/")[3]
    with gateway.client() as player:

        def get(job: UUID, with_token: str, path: str) -> tuple[int, str]:
            answer = player.get(f"/stream/{job}/{with_token}/{path}")
            return answer.status_code, answer.json()["code"] if answer.is_error else ""

        assert get(job_id, token, "master.m3u8") == (200, "")
        assert get(other_id, token, "master.m3u8") == (403, "signature_invalid")
        assert get(job_id, token, "none.m3u8") == (404, "output_not_found")
        assert get(job_id, token, "360p.mp4") == (404, "output_not_found")
        assert get(job_id, token, "%2e%2e/360p.mp4") == (404, "output_not_found")
        for bent in (token[:-1] + ("A" if token[-1] != "A" else "B"), "1" + token, "x.y", "0", "٣." + token):
            assert get(job_id, bent, "master.m3u8") == (403, "signature_invalid"), bent


def test_a_token_expires(gateway: Gateway, ada: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id, _ = streamed(gateway, ada)
    signer = Signer.from_settings(gateway.resources.settings)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    token = make_token(signer, job_id, 3599)
    monkeypatch.undo()
    with gateway.client() as player:
        answer = player.get(f"/stream/{job_id}/{token}/master.m3u8")
    assert (answer.status_code, answer.json()["code"]) == (403, "link_expired")
    assert token not in answer.text


class TestBehindAnAddress:
    """With `MILL_PUBLIC_URL` set, links are absolute."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"public_url": "https://mill.example/"})

    def test_links_begin_with_it(self, gateway: Gateway, ada: httpx.Client) -> None:
        job_id, url = streamed(gateway, ada)
        assert url.startswith(f"https://mill.example/stream/{job_id}/")
        job = f"/api/v1/jobs/{job_id}"
        rendition = ada.get(job).json()["outputs"]["renditions"]["360p"]
        assert rendition["download_url"] == f"https://mill.example{job}/download/360p"
        for file in ada.get(f"{job}/outputs").json()["files"]:
            assert file["url"].startswith("https://mill.example/objects/jobs/")
