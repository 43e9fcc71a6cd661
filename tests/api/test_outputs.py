from __future__ import annotations

import os
from email.message import Message
from typing import Any
from urllib.parse import unquote, urljoin

import httpx
import pytest
from api.running import MEDIA, Gateway, complete, submit

from mill_api.outputs.ranges import RangeNotSatisfiable, Span, disposition, parse_range

JOBS = "/api/v1/jobs"
FILM = os.urandom(1_200_000)
FILES = {
    "360p.mp4": FILM,
    "audio.mp3": b"sound",
    "transcript.txt": b"one two three",
    "transcript.srt": b"1",
    "transcript.vtt": b"WEBVTT",
    "transcript.json": b"{}",
    "thumbnails/poster.jpg": b"poster",
    "thumbnails/sprite-001.jpg": b"sprite",
    "thumbnails/thumbnails.vtt": b"WEBVTT",
    "hls/master.m3u8": b"#EXTM3U\n360p.m3u8\n",
    "hls/360p.m3u8": b"#EXTM3U\n360p/1.m4s\n",
    "hls/360p/1.m4s": b"segment one",
}
FACTS: dict[str, dict[str, Any]] = {
    "360p.mp4": {"width": 640, "height": 360},
    "hls/": {"renditions": {"360p": {"playlist": "360p.m3u8", "segments": 1}}},
}
TRANSCRIPT = {"language": "en", "word_count": 3, "model": "tiny"}


def made(gateway: Gateway, client: httpx.Client) -> str:
    """A job that has completed; its id."""
    job_id = submit(client)
    complete(gateway.resources, FILES, facts=FACTS, transcript=TRANSCRIPT)
    return job_id


def test_a_completed_job_shows_every_output(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        job_id = made(any_gateway, ada)
        view = ada.get(f"{JOBS}/{job_id}").json()
    base = f"{JOBS}/{job_id}/download"
    assert (view["status"], view["progress"]["overall_progress"], view["error"]) == ("completed", 100, None)
    source = view["source"]
    assert (source["duration_seconds"], source["resolution"], source["codec"]) == (12.5, "1280x720", "h264")
    assert (source["has_video"], source["has_audio"]) == (True, True)
    outputs = view["outputs"]
    rendition = outputs["renditions"]["360p"]
    assert rendition.pop("expires_at") and rendition.pop("url")
    assert rendition == {
        "available": True,
        "status": "ready",
        "reason": None,
        "width": 640,
        "height": 360,
        "size_bytes": len(FILM),
        "compression_ratio": round(source["size_bytes"] / len(FILM), 2),
        "sha256": "ab" * 32,
        "download_url": f"{base}/360p",
    }
    assert outputs["renditions"]["720p"]["reason"] == "above_source"
    assert outputs["audio"]["download_url"] == f"{base}/audio"
    transcription = outputs["transcription"]
    assert (transcription["language"], transcription["word_count"], transcription["whisper_model"]) == ("en", 3, "tiny")
    assert transcription["formats"] == {kind: f"{base}/transcript_{kind}" for kind in ("txt", "srt", "vtt", "json")}
    assert outputs["hls"]["renditions"]["360p"]["segments_count"] == 1
    assert outputs["thumbnails"]["sprites"] == [f"{base}/thumbnails/sprite-001.jpg"]
    assert set(view["processing_time"]) == {"probe", "publish", "total_seconds"}
    assert all(seconds is not None and seconds >= 0 for seconds in view["processing_time"].values())


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_what_the_source_lacks_is_the_reason(gateway: Gateway, ada: httpx.Client, kind: str) -> None:
    job_id = submit(ada)
    complete(gateway.resources, media={**MEDIA, kind: None})
    outputs = ada.get(f"{JOBS}/{job_id}").json()["outputs"]
    reasons = {name: outputs[name]["reason"] for name in ("audio", "transcription", "hls", "thumbnails")}
    lacking = [name for name, reason in reasons.items() if reason == f"no_{kind}"]
    assert lacking == (["hls", "thumbnails"] if kind == "video" else ["audio", "transcription"])
    assert (outputs["renditions"]["360p"]["reason"] == "no_video") == (kind == "video")


def test_every_file_is_listed_and_its_link_serves_it(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        listed = ada.get(f"{JOBS}/{made(any_gateway, ada)}/outputs").json()["files"]
    assert {file["name"]: file["size"] for file in listed} == {name: len(content) for name, content in FILES.items()}
    for file in listed:
        served = httpx.get(urljoin(any_gateway.url, file["url"]))
        assert (served.status_code, served.content) == (200, FILES[file["name"]])
    types = {file["name"]: file["content_type"] for file in listed}
    assert types["hls/master.m3u8"] == "application/vnd.apple.mpegurl"
    assert types["hls/360p/1.m4s"] == types["360p.mp4"] == "video/mp4"
    assert types["transcript.vtt"].startswith("text/vtt")


def test_nothing_is_listed_before_it_is_published(gateway: Gateway, ada: httpx.Client) -> None:
    job_id = submit(ada)
    assert ada.get(f"{JOBS}/{job_id}/outputs").json()["files"] == []
    answer = ada.get(f"{JOBS}/{job_id}/download/360p")
    assert (answer.status_code, answer.json()["code"]) == (404, "output_not_found")


def test_files_are_downloaded_by_name_or_alias(gateway: Gateway, ada: httpx.Client) -> None:
    base = f"{JOBS}/{made(gateway, ada)}/download"
    aliases = {
        "360p": "360p.mp4",
        "audio": "audio.mp3",
        "transcript_txt": "transcript.txt",
        "transcript_srt": "transcript.srt",
        "transcript_vtt": "transcript.vtt",
        "transcript_json": "transcript.json",
        "poster": "thumbnails/poster.jpg",
    }
    for name, file in aliases.items() | {(file, file) for file in FILES}:
        served = ada.get(f"{base}/{name}")
        assert (served.status_code, served.content) == (200, FILES[file]), name
        assert file.rpartition("/")[2] in served.headers["content-disposition"]
    for missing in ("720p", "hls/", "hls", "hls/none.m4s", "thumbnails", "x", "../360p.mp4", "%2e%2e/360p.mp4"):
        assert ada.get(f"{base}/{missing}").status_code == 404, missing


def test_a_file_is_downloaded_in_part(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        url = f"{JOBS}/{made(any_gateway, ada)}/download/360p"
        whole = ada.get(url)
        assert (whole.status_code, whole.content) == (200, FILM)
        assert (whole.headers["accept-ranges"], whole.headers["content-type"]) == ("bytes", "video/mp4")
        size = len(FILM)
        for given, start, end in (("5-9", 5, 9), ("700000-", 700_000, size - 1), ("-10", size - 10, size - 1)):
            part = ada.get(url, headers={"Range": f"bytes={given}"})
            assert (part.status_code, part.content) == (206, FILM[start : end + 1])
            assert part.headers["content-range"] == f"bytes {start}-{end}/{size}"
            assert part.headers["content-length"] == str(end - start + 1)
        head = ada.head(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(size)
        assert head.headers["etag"] == whole.headers["etag"]


def test_conditions_decide_what_is_sent(gateway: Gateway, ada: httpx.Client) -> None:
    url = f"{JOBS}/{made(gateway, ada)}/download/audio"
    whole = ada.get(url)
    etag, date = whole.headers["etag"], whole.headers["last-modified"]

    def sent(**headers: str) -> tuple[int, bytes]:
        answer = ada.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return answer.status_code, answer.content

    assert sent(If_None_Match=etag) == sent(If_None_Match=f'"x", W/{etag}') == (304, b"")
    assert sent(If_None_Match="*") == sent(If_Modified_Since=date) == (304, b"")
    assert sent(If_None_Match='"x"', If_Modified_Since=date) == (200, b"sound"), "the tag decides alone"
    assert sent(Range="bytes=0-1", If_Range=etag) == sent(Range="bytes=0-1", If_Range=date) == (206, b"so")
    assert sent(Range="bytes=0-1", If_Range='"x"') == sent(Range="bytes=0-1", If_Range=f"W/{etag}") == (200, b"sound")
    assert sent(Range="bytes=0-1", If_Range="Sat, 01 Jan 2000 00:00:00 GMT") == (200, b"sound")
    assert sent(Range="bytes=0-1,3-4") == sent(Range="bytes=2-1") == sent(Range="lines=1-2") == (200, b"sound")
    outside = ada.get(url, headers={"Range": "bytes=5-"})
    assert (outside.status_code, outside.json()["code"]) == (416, "range_not_satisfiable")
    assert outside.headers["content-range"] == "bytes */5"


@pytest.mark.parametrize("text", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "yesterday", "0", ""])
def test_a_date_that_is_none_is_no_condition(gateway: Gateway, ada: httpx.Client, text: str) -> None:
    url = f"{JOBS}/{made(gateway, ada)}/download/audio"
    for name in ("If-Modified-Since", "If-Unmodified-Since", "If-Range"):
        answer = ada.get(url, headers={name: text, "Range": "bytes=0-1"})
        assert answer.status_code == (200 if name == "If-Range" else 206), name


@pytest.mark.parametrize("link", ["download", "signed", "stream"])
def test_a_file_that_is_another_one_is_not_sent(gateway: Gateway, ada: httpx.Client, link: str) -> None:
    job_id = made(gateway, ada)
    outputs = ada.get(f"{JOBS}/{job_id}").json()["outputs"]
    url = {
        "download": f"{JOBS}/{job_id}/download/audio",
        "signed": outputs["audio"]["url"],
        "stream": outputs["hls"]["master_url"],
    }[link]
    whole = ada.get(url)
    etag, date = whole.headers["etag"], whole.headers["last-modified"]

    def sent(**headers: str) -> int:
        return ada.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}).status_code

    assert sent(If_Match=f'"x", {etag}') == sent(If_Match="*") == sent(If_Unmodified_Since=date) == 200
    assert sent(If_Match=etag, If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT") == 200, "the tag decides alone"
    assert sent(If_Match='"x"') == sent(If_Match=f"W/{etag}") == 412
    assert sent(If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT") == 412
    refused = ada.get(url, headers={"If-Match": '"x"', "Range": "bytes=0-1"})
    assert refused.json()["code"] == "precondition_failed"


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", Span(0, 0)),
        ("bytes=0-", Span(0, 9)),
        ("bytes=3-99", Span(3, 9)),
        ("bytes=-3", Span(7, 9)),
        ("bytes=-99", Span(0, 9)),
        ("BYTES=1-2", Span(1, 2)),
        ("bytes=-", None),
        ("bytes=2-1", None),
        ("bytes=a-b", None),
        ("bytes=1-2,4-5", None),
        ("bytes", None),
        ("bytes=٣-٤", None),
    ],
)
def test_a_range_is_read_as_rfc_9110_says(header: str, span: Span | None) -> None:
    assert parse_range(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=-0"])
def test_a_range_behind_the_end_cannot_be_satisfied(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 10)


@pytest.mark.parametrize("name", ["clip.mp4", "Größe ♥.mp4", 'a"b\\c;d.mp4', "100%.mp4", "👍🏽.mp4"])
def test_any_file_name_survives_content_disposition(name: str) -> None:
    header = disposition(name)
    assert header.isascii()
    message = Message()
    message["Content-Disposition"] = header
    assert message.get_content_disposition() == "attachment"
    assert unquote(header.rpartition("filename*=UTF-8''")[2]) == name


def test_a_link_expires_and_cannot_be_bent(gateway: Gateway, ada: httpx.Client) -> None:
    files = ada.get(f"{JOBS}/{made(gateway, ada)}/outputs").json()["files"]
    url = next(file["url"] for file in files if file["name"] == "360p.mp4")
    with gateway.client() as stranger:
        assert stranger.get(url, headers={"Range": "bytes=0-3"}).content == FILM[:4]
        assert stranger.head(url).headers["content-length"] == str(len(FILM))
        bent = stranger.get(url.replace("360p.mp4", "audio.mp3"))
        assert (bent.status_code, bent.json()["code"]) == (403, "signature_invalid")
        key = next(gateway.resources.store.list("uploads/")).key
        late = gateway.resources.store.presign_get(key, expires_s=1)
        until = late.split("expires=")[1].split("&")[0]
        longer = stranger.get(late.replace(until, str(int(until) + 1000)))
        assert longer.status_code == 403
        assert stranger.put(url, content=b"evil").status_code == 403
        assert stranger.get("/objects/uploads/none").status_code == 403
