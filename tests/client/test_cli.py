from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest
from client.conftest import Mill
from client.scripted import JOB, Reply, ScriptedServer, job_view, lines

ID = job_view()["job_id"]
QUEUED = Reply.of(job_view("queued", 0))
HALF = Reply.of(job_view("processing", 50))
DONE = Reply.of(job_view("completed", 100))
FAILED = Reply.of(job_view("failed", 50, error={"code": "source_unreadable", "message": "Not a video."}))


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


@pytest.mark.parametrize("command", ["cancel", "retry", "delete"])
def test_one_job_that_fails_keeps_no_other_from_being_changed(mill: Mill, server: ScriptedServer, command: str) -> None:
    answer = Reply.of(job_view(deleted=True, files_deleted=0))
    for name in ("a", "c"):
        server.on("POST", f"/api/v1/jobs/{name}/{command}", answer)
        server.on("DELETE", f"/api/v1/jobs/{name}", answer)
    ran = mill(command, "a", "b", "c", "--json")
    assert (ran.code, len(lines(ran.out)), "job b: " in ran.err) == (5, 2, True)


def test_a_file_whose_name_is_no_text_is_submitted(
    mill: Mill, server: ScriptedServer, clip: str, tmp_path: Path
) -> None:
    path = Path(clip).rename(tmp_path / os.fsdecode(b"\xff.mp4"))
    ran = mill("submit", str(path), "--json")
    assert (ran.code, lines(ran.out)[0]["filename"]) == (0, str(path))


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
