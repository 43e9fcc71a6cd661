"""J5: live progress through the SDK, on the real gateway and on one that gives no stream."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from threading import Thread

import pytest
from api.running import Gateway, complete
from client.scripted import JOB, Reply, ScriptedServer, job_view

from mill_client import Client, JobEvent, JobStatus, WaitTimeout
from mill_client._sse import Decoder

ID = job_view()["job_id"]
EVENTS = f"/api/v1/events/{ID}/progress"
PROGRESS = b'id: 1-a-progress\nevent: progress\ndata: {"job_id": "j", "status": "queued", "overall_progress": 5}\n\n'


def stream_of(*events: str) -> Reply:
    return Reply(200, "".join(events).encode(), {"Content-Type": "text/event-stream"})


def frame(name: str, event_id: str, status: str, progress: float) -> str:
    data = f'{{"job_id": "{ID}", "status": "{status}", "overall_progress": {progress}}}'
    return f"id: {event_id}\nevent: {name}\ndata: {data}\n\n"


def test_a_watched_job_is_told_to_its_end(gateway: Gateway, ada: Client, video: Path) -> None:
    job_id = ada.submit(video).job_id
    heard: list[JobEvent] = []
    for event in ada.events.watch(job_id):
        if not heard:
            complete(gateway.resources)
        heard.append(event)
    assert heard[0].status == "queued"
    assert {event.event for event in heard} == {"stage", "progress", "complete"}
    assert [event.status for event in heard if event.event == "complete"] == ["completed"]
    assert heard[-1].ended


def test_a_stream_goes_on_behind_the_last_event_that_was_seen(gateway: Gateway, ada: Client, video: Path) -> None:
    job_id = ada.submit(video).job_id
    complete(gateway.resources)
    *_, last = ada.events.watch(job_id)
    assert list(ada.events.watch(job_id, last_event_id=last.id)) == []


def test_a_stream_that_breaks_is_opened_again_with_the_last_id(server: ScriptedServer, client: Client) -> None:
    server.on(
        "GET",
        EVENTS,
        stream_of(frame("progress", "1-a-progress", "processing", 10)),
        stream_of(
            frame("progress", "2-a-progress", "completed", 100), frame("complete", "2-a-complete", "completed", 0)
        ),
    )
    heard = [event.id for event in client.events.watch(ID)]
    assert heard == ["1-a-progress", "2-a-progress", "2-a-complete"]
    assert [seen.headers["Last-Event-ID"] for seen in server.calls("GET", EVENTS)] == [None, "1-a-progress"]


def test_several_jobs_are_followed_over_one_stream(gateway: Gateway, ada: Client, video: Path) -> None:
    ids = [ada.submit(video, force=True).job_id for _ in range(3)]
    other = ada.submit(video, force=True, priority=0).job_id
    worker = Thread(target=lambda: [complete(gateway.resources) for _ in ids])
    ended: list[str] = []
    for event in ada.events.follow(ids, timeout_s=120):
        if not worker.ident:
            worker.start()
        ended += [event.job_id] if event.event == "complete" else []
    worker.join()
    assert sorted(ended) == sorted(ids)
    assert ada.jobs.get(other).status == "queued"


def test_a_deleted_job_ends_what_follows_it(ada: Client, video: Path) -> None:
    ids = [ada.submit(video, force=True).job_id for _ in range(2)]
    seen: dict[str, str] = {}
    for event in ada.events.follow(ids, timeout_s=120):
        for job_id in ids if not seen else ():
            ada.jobs.delete(job_id)
        seen[event.job_id] = event.status
    assert seen == dict.fromkeys(ids, "deleted")


def test_waiting_listens_and_does_not_ask(server: ScriptedServer, client: Client) -> None:
    half = Reply.of(job_view("processing", 50))
    server.on("GET", JOB, half, half, half, Reply.of(job_view("completed", 100)))
    steps = [frame("progress", f"{n}-a-progress", "processing", n) for n in range(60, 100)]
    server.on("GET", EVENTS, stream_of(*steps, frame("complete", "100-a-complete", "completed", 100)))
    told: list[float] = []
    job = client.jobs.wait(ID, on_progress=lambda job: told.append(job.progress.overall_progress))
    assert job.status is JobStatus.COMPLETED
    assert told == [50, *range(60, 100), 100]
    assert len(server.calls("GET", JOB)) == 4


@pytest.mark.parametrize("reply", [Reply.problem(404, "not_found"), Reply(200, b"<html>"), Reply(502)])
def test_without_a_stream_waiting_asks(server: ScriptedServer, client: Client, reply: Reply) -> None:
    server.on("GET", EVENTS, reply)
    server.on("GET", JOB, *[Reply.of(job_view("processing", n)) for n in (10, 20, 30, 40)], Reply.of(job_view()))
    told: list[float] = []
    client.jobs.wait(ID, on_progress=lambda job: told.append(job.progress.overall_progress))
    assert told[-1] == 100
    assert len(server.calls("GET", EVENTS)) == 1


def test_following_ends_after_the_time_given(ada: Client, video: Path) -> None:
    ids = [ada.submit(video, force=True).job_id for _ in range(2)]
    with pytest.raises(WaitTimeout) as caught:
        list(ada.events.follow(ids, timeout_s=0.5))
    assert sorted(caught.value.waiting) == sorted(ids)


def test_all_of_an_owners_jobs_are_watched(gateway: Gateway, ada: Client, video: Path) -> None:
    ada.submit(video)
    stream = ada.events.watch()
    heard: list[JobEvent] = []
    reader = Thread(target=lambda: heard.extend(islice(stream, 1)))
    reader.start()
    while reader.is_alive():
        ada.submit(video, force=True)
        complete(gateway.resources)
        reader.join(0.5)
    assert heard[0].job_id in {job.job_id for job in ada.jobs.each()}


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_events_are_read_however_their_bytes_are_cut(size: int) -> None:
    content = b": ping\n\n" + PROGRESS + PROGRESS.replace(b"\n", b"\r\n") + b'data: {"other": 1}\n\n'
    decoder = Decoder()
    found = [event for start in range(0, len(content), size) for event in decoder.feed(content[start : start + size])]
    assert [event and (event.id, event.event, event.overall_progress) for event in found] == [
        None,
        ("1-a-progress", "progress", 5),
        ("1-a-progress", "progress", 5),
    ]


def test_a_line_separator_in_an_event_ends_nothing() -> None:
    line = PROGRESS.replace(b'"queued"', '"queued", "error_message": "a\u2028b\x85c"'.encode())
    (event,) = Decoder().feed(line)
    assert event is not None
    assert event.error_message == "a\u2028b\x85c"
