from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import pytest
from client.conftest import Mill
from client.scripted import JOB, Reply, ScriptedServer, job_view

ID = job_view()["job_id"]
QUEUED = Reply.of(job_view("queued", 0))
HALF = Reply.of(job_view("processing", 50))
DONE = Reply.of(job_view("completed", 100))
FAILED = Reply.of(job_view("failed", 50, error={"code": "source_unreadable", "message": "Not a video."}))


@pytest.fixture
def clip(tmp_path: Path, server: ScriptedServer) -> str:
    """A file that `server` takes, makes a job of, and completes."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"film")
    upload = {"id": "u1", "filename": "clip.mp4", "size": 4, "sha256": hashlib.sha256(b"film").hexdigest()}
    server.on("POST", "/api/v1/uploads", Reply.of({**upload, "status": "complete"}, 201))
    server.on("POST", "/api/v1/jobs", Reply.of(job_view("queued", 0), 201))
    server.on("GET", JOB, QUEUED, HALF, DONE)
    return str(path)


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_submit_with_json_ends_with_the_jobs_final_detail(mill: Mill, clip: str) -> None:
    ran = mill("submit", clip, "--wait", "--json")
    upload, *steps, last = lines(ran.out)
    assert upload == {"event": "upload", "filename": clip, "bytes_sent": 4, "bytes_total": 4}
    assert [(step["event"], step["status"], step["overall_progress"]) for step in steps] == [
        ("progress", "queued", 0),
        ("progress", "processing", 50),
    ]
    assert (ran.code, last["job_id"], last["status"]) == (0, ID, "completed")
    assert last["user_metadata"] == {"course": "7"}


def test_submit_of_a_video_that_fails_ends_with_1(mill: Mill, server: ScriptedServer, clip: str) -> None:
    server.on("GET", JOB, HALF, FAILED)
    ran = mill("submit", clip, "--wait", "--json")
    assert (ran.code, lines(ran.out)[-1]["status"]) == (1, "failed")
    assert "Not a video. (source_unreadable)" in ran.err


def test_submit_of_a_job_that_is_cancelled_ends_with_1(mill: Mill, server: ScriptedServer, clip: str) -> None:
    server.on("GET", JOB, HALF, Reply.of(job_view("cancelled", 50)))
    ran = mill("submit", clip, "--wait")
    assert (ran.code, "was cancelled" in ran.err) == (1, True)


def test_submit_shows_what_came_out(mill: Mill, clip: str) -> None:
    ran = mill("submit", clip, "--wait")
    assert ran.code == 0
    assert "360p\t640x360\t1.0 KiB\t360p.mp4" in ran.out
    assert "audio\tno audio" in ran.out
    assert "\x1b" not in ran.out + ran.err


def test_submit_into_a_pipe_prints_the_id_and_does_not_wait(mill: Mill, server: ScriptedServer, clip: str) -> None:
    ran = mill("submit", clip)
    assert (ran.code, ran.out) == (0, f"{ID}\n")
    assert server.calls("GET", JOB) == []


def test_submit_without_waiting_prints_the_job_as_json(mill: Mill, clip: str) -> None:
    assert lines(mill("submit", clip, "--no-wait", "--json").out)[-1]["status"] == "queued"


def test_submit_gives_up_waiting_after_the_time_given(mill: Mill, server: ScriptedServer, clip: str) -> None:
    server.on("GET", JOB, HALF)
    ran = mill("submit", clip, "--wait", "--timeout", "0.1")
    assert (ran.code, "it goes on" in ran.err) == (8, True)


def test_submit_asks_for_what_its_options_say(mill: Mill, server: ScriptedServer, clip: str) -> None:
    options = "--rendition 360 --rendition 720 --no-hls --no-audio --no-thumbnails --language en --priority 9"
    ran = mill("submit", clip, *options.split(), "--metadata", "a=b=c", "--metadata", "d=", "--idempotency-key", "k")
    assert ran.code == 0
    (seen,) = server.calls("POST", "/api/v1/jobs")
    assert seen.json == {
        "source": {"upload_id": "u1"},
        "spec": {
            "renditions": [360, 720],
            "hls": False,
            "audio": False,
            "thumbnails": False,
            "transcript": {"language": "en"},
        },
        "priority": 9,
        "metadata": {"a": "b=c", "d": ""},
    }
    assert seen.headers["Idempotency-Key"] == "k"


def test_submit_leaves_the_defaults_to_the_server(mill: Mill, server: ScriptedServer, clip: str) -> None:
    mill("submit", clip)
    assert server.calls("POST", "/api/v1/jobs")[0].json == {"source": {"upload_id": "u1"}}


def test_submit_without_a_transcript_asks_for_none(mill: Mill, server: ScriptedServer, clip: str) -> None:
    mill("submit", clip, "--no-transcript")
    assert server.calls("POST", "/api/v1/jobs")[0].json["spec"] == {"transcript": None}


def test_submit_takes_a_url(mill: Mill, server: ScriptedServer, clip: str) -> None:
    assert mill("submit", "https://example.org/a.mp4").code == 0
    assert server.calls("POST", "/api/v1/jobs")[0].json == {"source": {"url": "https://example.org/a.mp4"}}
    assert server.calls("POST", "/api/v1/uploads") == []


def test_submit_takes_several_videos(mill: Mill, server: ScriptedServer, clip: str) -> None:
    ran = mill("submit", clip, "https://example.org/a.mp4", "--wait", "--json")
    assert (ran.code, len(server.calls("POST", "/api/v1/jobs"))) == (0, 2)
    assert [line["status"] for line in lines(ran.out)[-2:]] == ["completed", "completed"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such.mp4"],
        ["CLIP", "--language", "en", "--no-transcript"],
        ["CLIP", "--metadata", "novalue"],
        ["CLIP", "--metadata", "=x"],
        ["CLIP", "--priority", "10"],
        ["CLIP", "https://example.org/a", "--idempotency-key", "k"],
        ["CLIP", "--url", "nonsense"],
        [],
    ],
)
def test_a_wrong_command_line_ends_with_2_and_sends_nothing(
    mill: Mill, server: ScriptedServer, clip: str, arguments: list[str]
) -> None:
    assert mill("submit", *[clip if word == "CLIP" else word for word in arguments]).code == 2
    assert server.seen == []


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply.problem(401, "unauthenticated"), 4),
        (Reply.problem(403, "forbidden"), 4),
        (Reply.problem(404, "not_found"), 5),
        (Reply.problem(409, "job_ended"), 6),
        (Reply.problem(422, "invalid_request"), 6),
        (Reply.problem(500, "internal_error"), 7),
        (Reply(200, b"<html>"), 7),
    ],
)
def test_each_refusal_has_its_exit_code(mill: Mill, server: ScriptedServer, reply: Reply, code: int) -> None:
    server.on("GET", JOB, reply)
    ran = mill("get", ID)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err


def test_where_no_server_is_the_message_says_where_and_what_to_do(mill: Mill) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        ran = mill("--url", url, "get", ID)
    assert ran.code == 3
    assert url in ran.err
    assert "mill up" in ran.err


def test_a_refused_request_says_what_is_wrong_where(mill: Mill, server: ScriptedServer, clip: str) -> None:
    errors = [{"loc": ["body", "priority"], "message": "is too high"}]
    server.on("POST", "/api/v1/jobs", Reply.problem(422, "invalid_request", errors=errors))
    ran = mill("submit", clip)
    assert (ran.code, "body.priority: is too high" in ran.err) == (6, True)


def test_options_before_and_after_the_command_name_the_server(mill: Mill, server: ScriptedServer) -> None:
    server.on("GET", JOB, DONE)
    assert mill("--url", "http://127.0.0.1:1", "--api-key", "before", "get", ID, "--url", server.url).code == 0
    assert mill("--api-key", "before", "get", ID, "--api-key", "after").code == 0
    assert [seen.headers["X-API-Key"] for seen in server.seen] == ["before", "after"]


def test_get_prints_the_job(mill: Mill, server: ScriptedServer) -> None:
    server.on("GET", JOB, HALF)
    assert "processing, 50 %" in mill("get", ID).out
    assert lines(mill("get", ID, "--json").out)[0]["progress"]["overall_progress"] == 50  # type: ignore[index]


def test_get_can_follow_a_job_to_its_end(mill: Mill, server: ScriptedServer) -> None:
    server.on("GET", JOB, HALF, HALF, FAILED)
    ran = mill("get", ID, "--wait", "--json")
    assert (ran.code, lines(ran.out)[-1]["status"]) == (1, "failed")


def test_list_prints_what_passes_the_filters(mill: Mill, server: ScriptedServer) -> None:
    summary = {"job_id": ID, "status": "failed", "filename": "a\x1b[31mb", "progress": 40}
    server.on("GET", "/api/v1/jobs", Reply.of({"jobs": [summary], "next_cursor": None}))
    ran = mill("list", "--status", "failed", "--search", "a", "--from", "2026-01-01", "--priority", "3")
    assert ran.out.splitlines()[1].split("\t")[:4] == [ID, "failed", "40 %", r"a\x1b[31mb"]
    query = server.seen[0].query
    assert query.pop("from_date").startswith("2026-01-01T00:00:00")
    assert query == {"status": "failed", "search": "a", "priority": "3", "per_page": "20"}


def test_list_stops_at_its_limit(mill: Mill, server: ScriptedServer) -> None:
    summary = {"job_id": ID, "status": "queued"}
    server.on("GET", "/api/v1/jobs", Reply.of({"jobs": [summary] * 2, "next_cursor": "more"}))
    assert len(lines(mill("list", "--limit", "3", "--json").out)) == 3
    assert len(server.seen) == 2


def test_cancel_retry_and_delete_say_what_became_of_the_job(mill: Mill, server: ScriptedServer) -> None:
    server.on("POST", f"{JOB}/cancel", Reply.of({"job_id": ID, "status": "cancelled", "message": "Cancelled."}))
    server.on("POST", f"{JOB}/retry", QUEUED)
    server.on("DELETE", JOB, Reply.of({"job_id": ID, "deleted": True, "files_deleted": 4}))
    assert mill("cancel", ID).err == "Cancelled.\n"
    assert "is queued" in mill("retry", ID).err
    assert "with 4 files" in mill("delete", ID, "--yes").err
    assert lines(mill("delete", ID, "--json").out) == [{"job_id": ID, "deleted": True, "files_deleted": 4}]


def test_download_writes_the_files_and_says_which(mill: Mill, server: ScriptedServer, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"one two").hexdigest()
    file = {"name": "transcript.txt", "kind": "transcript", "size": 7, "sha256": digest}
    server.on("GET", f"{JOB}/outputs", Reply.of({"job_id": ID, "files": [file]}))
    server.on("GET", f"{JOB}/download/transcript.txt", Reply(200, b"one two"))
    ran = mill("download", ID, "--output", str(tmp_path / "out"), "--json")
    assert (tmp_path / "out" / "transcript.txt").read_bytes() == b"one two"
    (line,) = lines(ran.out)
    assert (ran.code, line["outcome"], line["sha256"]) == (0, "downloaded", digest)
    again = mill("download", ID, "--output", str(tmp_path / "out"))
    assert "transcript.txt\t7 B\tpresent" in again.out
    assert mill("download", ID, "nothing", "--output", str(tmp_path / "out")).code == 5


def test_a_file_that_cannot_be_written_is_told_in_a_line(mill: Mill, server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    server.on("GET", f"{JOB}/outputs", Reply.of({"job_id": ID, "files": []}))
    ran = mill("download", ID, "--output", str(tmp_path / "taken"))
    assert ran.code == 1
    assert ran.err.startswith(f"error: {tmp_path / 'taken'}: ")


def test_keys_are_made_listed_and_revoked(mill: Mill, server: ScriptedServer) -> None:
    key = {"id": "k1", "name": "ci", "owner": "ann", "scopes": ["jobs"], "prefix": "abcdefgh"}
    server.on("POST", "/api/v1/keys", Reply.of({**key, "key": "mill_secret"}, 201))
    server.on("GET", "/api/v1/keys", Reply.of({"keys": [key]}))
    server.on("DELETE", "/api/v1/keys/k1", Reply(204))
    assert mill("keys", "create", "ci", "--owner", "ann", "--scope", "jobs").out == "mill_secret\n"
    assert "k1\tci\tann\tjobs\tabcdefgh" in mill("keys", "list").out
    assert lines(mill("keys", "list", "--json").out)[0]["id"] == "k1"
    assert "k1 is revoked" in mill("keys", "revoke", "k1").err


def test_an_unknown_command_ends_with_2(mill: Mill) -> None:
    assert mill("sumbit").code == 2
