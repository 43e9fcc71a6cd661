from __future__ import annotations

from pathlib import Path

import pytest
from client.conftest import Mill
from client.scripted import JOB, Reply, ScriptedServer, job_view, lines

ID = job_view()["job_id"]
QUEUED = Reply.of(job_view("queued", 0))
HALF = Reply.of(job_view("processing", 50))
DONE = Reply.of(job_view("completed", 100))
FAILED = Reply.of(job_view("failed", 50, error={"code": "source_unreadable", "message": "Not a video."}))


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


def test_submit_merges_videos_in_their_order(mill: Mill, server: ScriptedServer, clip: str) -> None:
    ran = mill("submit", "--merge", clip, "https://example.org/a.mp4", clip, "--wait", "--json", "--priority", "9")
    (seen,) = server.calls("POST", "/api/v1/jobs")
    places = [{"upload_id": "u1"}, {"url": "https://example.org/a.mp4"}, {"upload_id": "u1"}]
    assert (ran.code, seen.json) == (0, {"sources": places, "priority": 9})
    assert len(server.calls("POST", "/api/v1/uploads")) == 1, "what is named twice is sent once"
    assert lines(ran.out)[-1]["status"] == "completed"


def test_submit_merges_nothing_if_one_video_cannot_be_sent(
    mill: Mill, server: ScriptedServer, clip: str, tmp_path: Path
) -> None:
    refused = tmp_path / "refused.mp4"
    refused.write_bytes(b"more")
    upload = Reply.of({"id": "u1", "filename": "clip.mp4", "size": 4, "status": "complete"}, 201)
    server.on("POST", "/api/v1/uploads", upload, Reply.problem(413, "source_too_large", "It is too large."))
    ran = mill("submit", "--merge", "--parallel", "1", clip, str(refused))
    assert (ran.code, "refused.mp4: It is too large." in ran.err) == (6, True)
    assert server.calls("POST", "/api/v1/jobs") == []


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
        ["CLIP", "--merge"],
        ["CLIP", "--deadline", "nan"],
        ["CLIP", "--deadline", "inf"],
        ["CLIP", "--thumbnail-at", "nan"],
        [],
    ],
)
def test_a_wrong_command_line_ends_with_2_and_sends_nothing(
    mill: Mill, server: ScriptedServer, clip: str, arguments: list[str]
) -> None:
    assert mill("submit", *[clip if word == "CLIP" else word for word in arguments]).code == 2
    assert server.seen == []
