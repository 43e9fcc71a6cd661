"""A10: what the four services, as processes of their own, tell Sentry, and what they never tell."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from receiving import receiving
from sentry_sink import Sink, sentry_sink
from sqlalchemy import select, update
from sqlmodel import col
from waiting import WAIT_S, wait_for

from mill_client import Client, Job, JobFailed, JobStatus, MillClientError
from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.models import Task
from mill_common.runs import Schedule
from mill_common.states import TaskStatus
from mill_standalone.demo import SAMPLE

KEY = "an-admin-key-for-tests"
SIGNING_KEY = "a-signing-key-for-tests-0123456789"
FILE = "Grandma's 90th birthday.mp4"


class Services:
    """Processes on one database, all of which report to one sink."""

    def __init__(self, urls: Mapping[str, str], folder: Path, sink: Sink) -> None:
        self.sink = sink
        self.database = Database(urls["MILL_DATABASE_URL"])
        migrate(self.database)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
        self._folder = folder
        self._environment = {
            **kept,
            **urls,
            "MILL_ADMIN_KEY": KEY,
            "MILL_SIGNING_KEY": SIGNING_KEY,
            "MILL_WHISPER_MODEL": "tiny-digits",
            "MILL_SENTRY_DSN": sink.dsn,
            "MILL_SENTRY_TRACES_SAMPLE_RATE": "1",
            "MILL_ENVIRONMENT": "testing",
            "MILL_RETRY_BASE_S": "0.05",
            "MILL_POLL_S": "0.2",
            "MILL_SWEEP_S": "0.2",
            "MILL_HEARTBEAT_S": "0.2",
            "MILL_LEASE_S": "5",
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self.port = _free_port()

    def start(self, module: str, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """One more process."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**self._environment, "MILL_DATA_DIR": str(self._folder / module), **settings},
            stdin=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A gateway and its client."""
        self.start("mill_api", "--port", str(self.port))
        with Client(f"http://127.0.0.1:{self.port}", KEY) as client:
            wait_for(lambda: _ready(client))
            yield client

    def tasks(self, status: TaskStatus) -> list[Task]:
        """Tasks of one status."""
        with self.database.read() as session:
            return list(session.scalars(select(Task).where(col(Task.status) == status)))

    def stop(self) -> None:
        """End everything in order, so that what is still to be reported is."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            process.wait(WAIT_S)
        self._processes.clear()

    def close(self) -> None:
        """End everything."""
        self.stop()
        self.database.close()


@pytest.fixture
def services(postgres_url: str, redis_url: str, s3_url: str, tmp_path: Path) -> Iterator[Services]:
    urls = {"MILL_DATABASE_URL": postgres_url, "MILL_BROKER_URL": redis_url, "MILL_STORAGE_URL": s3_url}
    with sentry_sink() as sink:
        running = Services(urls, tmp_path, sink)
        try:
            yield running
        finally:
            running.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ready(client: Client) -> bool:
    try:
        client.check_ready()
    except MillClientError:
        return False
    return True


def _source(folder: Path) -> Path:
    copy = folder / FILE
    copy.write_bytes(SAMPLE.read_bytes())
    return copy


def _services_of(transactions: list[dict[str, Any]]) -> set[str]:
    return {transaction["tags"]["service"] for transaction in transactions}


@pytest.mark.slow
def test_one_trace_connects_all_four_services_and_names_no_file_and_no_key(services: Services, tmp_path: Path) -> None:
    """A10: a request's trace goes on in every task of its job, also in what the watchdog does for it."""
    with services.client() as client:
        job = client.submit(_source(tmp_path))
        # The first transcoder dies with a task in hand, so that the watchdog has something to do for this job.
        first = services.start("mill_transcoder")
        wait_for(lambda: services.tasks(TaskStatus.RUNNING))
        first.kill()
        first.wait()
        for module in ("mill_watchdog", "mill_transcriber"):
            services.start(module)
        wait_for(lambda: not services.tasks(TaskStatus.RUNNING))
        services.start("mill_transcoder")
        assert client.jobs.wait(job.job_id, timeout_s=WAIT_S).status is JobStatus.COMPLETED
    services.stop()
    transactions = services.sink.items("transaction")
    of_trace: dict[str, list[dict[str, Any]]] = {}
    for transaction in transactions:
        of_trace.setdefault(transaction["contexts"]["trace"]["trace_id"], []).append(transaction)
    [trace] = [found for found in of_trace.values() if any(each["transaction"].endswith(" probe") for each in found)]
    assert _services_of(trace) == {"api", "transcoder", "transcriber", "watchdog"}
    _is_connected(trace)
    processed = {each["transaction"]: each["contexts"]["trace"] for each in trace if "queue.process" in str(each)}
    assert processed["transcribe transcribe"]["data"]["messaging.destination.name"] == "transcribe"
    assert processed["transcribe transcribe"]["data"]["messaging.message.receive.latency"] >= 0
    published = [span for each in trace for span in each["spans"] if span["op"] == "queue.publish"]
    assert {"transcode", "transcribe"} == {span["data"]["messaging.destination.name"] for span in published}
    assert {each["environment"] for each in transactions} == {"testing"}
    assert all(each["release"].startswith("mediamill@") for each in transactions)
    received = b"".join(services.sink.received)
    for secret in (FILE, "Grandma", ".mp4", KEY, SIGNING_KEY, str(tmp_path), "127.0.0.1"):
        assert secret.encode() not in received.replace(services.sink.dsn.encode(), b""), secret


def _fails(client: Client, job: Job) -> Job:
    with pytest.raises(JobFailed):
        client.jobs.wait(job.job_id, timeout_s=WAIT_S)
    return client.jobs.get(job.job_id)


def _is_connected(trace: list[dict[str, Any]]) -> None:
    """Everything but the root has a parent that was sent, too."""
    contexts = [transaction["contexts"]["trace"] for transaction in trace]
    known = {context["span_id"] for context in contexts}
    known |= {span["span_id"] for transaction in trace for span in transaction["spans"]}
    roots = [context for context in contexts if not context.get("parent_span_id")]
    assert len(roots) == 1
    assert all(context["parent_span_id"] in known for context in contexts if context not in roots)


def test_a_webhook_is_delivered_within_its_jobs_trace_and_its_url_stays_here(
    services: Services, tmp_path: Path
) -> None:
    """A10: one trace from the request over the queue to every webhook."""
    services._environment["MILL_WEBHOOK_NETWORKS"] = "127.0.0.0/8"
    bad = tmp_path / FILE
    bad.write_bytes(b"no picture at all" * 100)
    with receiving(tmp_path) as receiver, services.client() as client:
        client.submit(bad, webhook=receiver.url("status-202?token=hush"))
        services.start("mill_transcoder")
        services.start("mill_watchdog")
        wait_for(receiver.heard)
        [delivery] = receiver.heard()
        assert delivery["body"]["type"] == "job.failed"
        port = receiver.port
        wait_for(lambda: _deliveries(services))
        services.stop()
    transactions = services.sink.items("transaction")
    [sent] = _deliveries(services)
    context = sent["contexts"]["trace"]
    trace = [each for each in transactions if each["contexts"]["trace"]["trace_id"] == context["trace_id"]]
    assert _services_of(trace) == {"api", "transcoder", "watchdog"}
    _is_connected(trace)
    assert (sent["transaction"], context["status"]) == ("webhook job.failed", "ok")
    assert context["data"]["http.response.status_code"] == 202
    received = b"".join(services.sink.received).replace(services.sink.dsn.encode(), b"")
    for secret in (FILE, "Grandma", "hush", "status-202", f":{port}", "127.0.0.1", "whsec_"):
        assert secret.encode() not in received, secret


def _deliveries(services: Services) -> list[dict[str, Any]]:
    found = services.sink.items("transaction")
    return [each for each in found if each["contexts"]["trace"]["op"] == "webhook.deliver"]


def test_a_dead_letter_is_one_event_and_a_bad_source_is_none(services: Services, tmp_path: Path) -> None:
    """A10: an error is reported when a task dies of it, not at each attempt; what the source is to blame for is not."""
    with services.client() as client:
        bad = tmp_path / "bad.mp4"
        bad.write_bytes(b"no picture at all" * 100)
        refused = client.submit(bad)
        transcoder = services.start("mill_transcoder")
        _fails(client, refused)
        transcoder.send_signal(signal.SIGTERM)
        transcoder.wait(WAIT_S)
        doomed = client.submit(_source(tmp_path))
        services.start("mill_transcoder", MILL_FFPROBE="/bin/false")
        ended = _fails(client, doomed)
        assert ended.error is not None
        assert (ended.error.code, ended.error.retry_count) == ("child_failed", 4)
    services.stop()
    [event] = services.sink.items("event")
    assert event["fingerprint"] == ["child_failed"]
    assert event["tags"]["job"] == str(doomed.job_id)
    assert event["tags"]["code"] == "child_failed"
    assert FILE.encode() not in b"".join(services.sink.received)


def test_every_schedule_checks_in(services: Services) -> None:
    """A10: a run tells of its beginning and its end, under one id."""
    services.start("mill_watchdog")
    wait_for(lambda: _schedules(services))
    names = _schedules(services)
    with services.database.write() as session:
        session.execute(update(Schedule).values(next_at=db_now(-1.0)))
    wait_for(lambda: len(services.sink.items("check_in")) >= 2 * len(names))
    found = services.sink.items("check_in")
    for name in names:
        begun, ended = [each for each in found if each["monitor_slug"] == name][:2]
        assert (begun["status"], ended["status"]) == ("in_progress", "ok")
        assert begun["check_in_id"] == ended["check_in_id"]
        assert begun["monitor_config"]["schedule"]["type"] == "crontab"


def _schedules(services: Services) -> list[str]:
    with services.database.read() as session:
        return list(session.scalars(select(col(Schedule.name))))


def test_without_a_dsn_nothing_is_sent_and_no_trace_is_kept(services: Services, tmp_path: Path) -> None:
    """A10: nothing at all without a DSN."""
    services._environment["MILL_SENTRY_DSN"] = ""
    with services.client() as client:
        client.submit(_source(tmp_path))
        services.start("mill_transcoder", "--once", MILL_FFPROBE="/bin/false").wait(WAIT_S)
    services.stop()
    assert services.sink.received == []
    with services.database.read() as session:
        from mill_common.models import Job

        assert session.scalars(select(col(Job.trace))).all() == [None]
