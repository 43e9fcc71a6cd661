"""J15: downloads and streams as browsers and players need them."""

from __future__ import annotations

from urllib.parse import unquote, urljoin

import httpx
import pytest
from api.running import Gateway, complete, submit

from mill_common.settings import Settings

FILES = {
    "360p.mp4": b"a film in small",
    "hls/master.m3u8": b"#EXTM3U\n360p.m3u8\n",
    "hls/360p.m3u8": b"#EXTM3U\n360p/1.m4s\n",
    "hls/360p/init.mp4": b"head",
    "hls/360p/1.m4s": b"segment one",
    "hls/text/1.vtt": b"WEBVTT",
}
FACTS = {"hls/": {"renditions": {"360p": {"playlist": "360p.m3u8", "segments": 1}}}}
ORIGIN = {"Origin": "https://player.example"}


def made(gateway: Gateway, client: httpx.Client, filename: str = "clip.mp4") -> str:
    """A job that has completed; its id."""
    job_id = submit(client, filename=filename)
    complete(gateway.resources, FILES, facts=FACTS)
    return job_id


def saved_as(answer: httpx.Response) -> str:
    """The name under which a browser saves an answer: `filename*` counts where both are given (RFC 6266 §4.3)."""
    return unquote(answer.headers["content-disposition"].partition("filename*=UTF-8''")[2])


@pytest.mark.parametrize("filename", ["Übung 1.mp4", "日本語 テスト.mov", 'a "quoted" name;.mp4', "🎬.mp4", "100%.mkv"])
def test_a_download_is_saved_under_its_sources_name(gateway: Gateway, ada: httpx.Client, filename: str) -> None:
    job_id = made(gateway, ada, filename)
    answer = ada.get(f"/api/v1/jobs/{job_id}/download/360p")
    assert answer.status_code == 200
    assert saved_as(answer) == f"{filename.rpartition('.')[0]}-360p.mp4"
    assert answer.headers["content-disposition"].isascii()


def test_a_download_may_lead_to_storage(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada, any_gateway.client() as anybody:
        url = f"/api/v1/jobs/{made(any_gateway, ada)}/download/360p"
        sent = ada.get(url, params={"redirect": "true"})
        assert sent.status_code == 302
        found = anybody.get(sent.headers["location"], headers={"Range": "bytes=2-5"})
        assert (found.status_code, found.content) == (206, b"film")
        assert "clip-360p.mp4" in found.headers["content-disposition"]
        assert ada.get(url).status_code == 200
        assert ada.head(url, params={"redirect": "true"}).status_code == 200, "the signature is for GET"


class TestRedirecting:
    """With `MILL_DOWNLOAD_REDIRECTS`."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"download_redirects": True})

    def test_downloads_lead_to_storage_unless_asked_otherwise(self, gateway: Gateway, ada: httpx.Client) -> None:
        url = f"/api/v1/jobs/{made(gateway, ada)}/download/360p"
        assert ada.get(url).status_code == 302
        assert ada.get(url, params={"redirect": "false"}).status_code == 200


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("master.m3u8", "application/vnd.apple.mpegurl"),
        ("360p/init.mp4", "video/mp4"),
        ("360p/1.m4s", "video/mp4"),
        ("text/1.vtt", "text/vtt; charset=utf-8"),
    ],
)
def test_streams_keep_to_the_rules_of_safari(gateway: Gateway, ada: httpx.Client, name: str, kind: str) -> None:
    """Types that it knows, lengths always, and two bytes to whoever asks for two."""
    job_id = made(gateway, ada)
    master: str = ada.get(f"/api/v1/jobs/{job_id}").json()["outputs"]["hls"]["master_url"]
    with gateway.client() as player:
        whole = player.get(urljoin(master, name), headers=ORIGIN)
        first = player.get(urljoin(master, name), headers={**ORIGIN, "Range": "bytes=0-1"})
        unchanged = player.get(urljoin(master, name), headers={**ORIGIN, "If-None-Match": whole.headers["etag"]})
    assert whole.headers["content-type"] == kind
    assert int(whole.headers["content-length"]) == len(whole.content) > 2
    assert (first.status_code, first.content) == (206, whole.content[:2])
    assert first.headers["content-range"] == f"bytes 0-1/{len(whole.content)}"
    assert unchanged.status_code == 304
    assert {answer.headers["access-control-allow-origin"] for answer in (whole, first, unchanged)} == {"*"}
    assert "Content-Range" in whole.headers["access-control-expose-headers"]


def test_a_page_elsewhere_may_show_and_put_signed_objects(gateway: Gateway, ada: httpx.Client) -> None:
    job_id = made(gateway, ada)
    file = ada.get(f"/api/v1/jobs/{job_id}/outputs").json()["files"][0]
    with gateway.client() as page:
        assert page.get(file["url"], headers=ORIGIN).headers["access-control-allow-origin"] == "*"
        asks = {**ORIGIN, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
        assert "PUT" in page.options(file["url"], headers=asks).headers["access-control-allow-methods"]


def test_a_cookie_plays_one_jobs_stream(gateway: Gateway, ada: httpx.Client, bob: httpx.Client) -> None:
    job_id, other_id = made(gateway, ada), made(gateway, ada)
    set_up = ada.post(f"/api/v1/jobs/{job_id}/stream-cookie")
    assert set_up.status_code == 201
    cookie = set_up.headers["set-cookie"]
    assert f"Path=/stream/{job_id}/" in cookie and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    sent = {"Cookie": cookie.partition(";")[0]}
    master = set_up.json()["master_url"]
    with gateway.client() as player:
        assert player.get(master, headers=sent).content == FILES["hls/master.m3u8"]
        assert player.get(urljoin(master, "360p/1.m4s"), headers=sent).content == b"segment one"
        assert player.get(master).json()["code"] == "signature_invalid"
        assert player.get(master.replace(job_id, other_id), headers=sent).json()["code"] == "signature_invalid"
    assert bob.post(f"/api/v1/jobs/{job_id}/stream-cookie").status_code == 404


class TestNamedOrigins:
    """With `MILL_PLAYER_ORIGINS`."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"player_origins": "https://player.example, https://other.example"})

    def test_a_page_there_may_send_the_cookie_and_one_elsewhere_may_not(
        self, gateway: Gateway, ada: httpx.Client
    ) -> None:
        set_up = ada.post(f"/api/v1/jobs/{made(gateway, ada)}/stream-cookie")
        assert "SameSite=None; Secure" in set_up.headers["set-cookie"]
        sent = {"Cookie": set_up.headers["set-cookie"].partition(";")[0]}
        with gateway.client() as player:
            here = player.get(set_up.json()["master_url"], headers=ORIGIN | sent)
            there = player.get(set_up.json()["master_url"], headers={"Origin": "https://evil.example"} | sent)
        assert here.headers["access-control-allow-origin"] == "https://player.example"
        assert here.headers["access-control-allow-credentials"] == "true"
        assert "access-control-allow-origin" not in there.headers
