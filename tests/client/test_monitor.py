"""M6, the terminal monitor: on real terminals and in pipes, against the real gateway."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from api.running import ADMIN_KEY, Gateway, claim
from client.processes import MILL, environment, mill
from client.terminal import Terminal, on_a_terminal
from waiting import wait_for

from mill_client import Client
from mill_common.errors import SourceUnreadable
from mill_common.queue import TRANSCODE, Spent
from mill_common.worker.presence import Presence
from mill_common.workers import WorkerState

ENTERED, LEFT, CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"


@pytest.fixture
def env(gateway: Gateway, homes: dict[str, str]) -> dict[str, str]:
    return environment(gateway.url, **{**homes, "MILL_API_KEY": ADMIN_KEY})


@pytest.fixture
def busy(gateway: Gateway, ada: Client, video: Path, worker: None) -> None:
    """A failed job, three that wait, twenty that run, and an alert."""
    ada.submit(video, force=True)
    gateway.resources.queue.fail(claim(gateway.resources), SourceUnreadable(), Spent())
    for _ in range(23):
        ada.submit(video, force=True)
    for _ in range(20):
        gateway.resources.queue.heartbeat(claim(gateway.resources), 0.5, "reading", Spent())
    gateway.admin.post("/api/v1/monitoring/alerts/test", params={"level": "critical"})


@pytest.fixture
def worker(gateway: Gateway) -> None:
    """One who is heard of."""
    facts: dict[str, Any] = {"name": "steady-worker", "service": "transcoder", "queue": TRANSCODE, "slots": 2}
    Presence(gateway.resources.database, heartbeat_s=60.0, **facts).beat(WorkerState.RUNNING)


@contextmanager
def monitoring(env: dict[str, str], **size: int) -> Iterator[Terminal]:
    """The monitor, which is quit and then has left the terminal as it was."""
    with on_a_terminal("monitor", "--interval", "0.5", env=env, **size) as (terminal, before):
        terminal.shows("QUEUES")
        yield terminal
        if terminal.child.poll() is None:
            terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.modes() == before


def marked(terminal: Terminal) -> str:
    """The line that the cursor is on."""
    return next((line for line in terminal.screen if line.startswith("›")), "")


def down_to(terminal: Terminal, name: str) -> None:
    """Move the cursor to the line with `name`."""
    terminal.shows(name)
    wait_for(lambda: marked(terminal))
    while name not in (here := marked(terminal)):
        terminal.press("\x1b[B")
        wait_for(partial(_has_left, terminal, here[:30]))


def _has_left(terminal: Terminal, line: str) -> bool:
    return bool(marked(terminal)) and not marked(terminal).startswith(line)


def test_m6_q_leaves_the_terminal_as_it_was(env: dict[str, str]) -> None:
    with monitoring(env) as terminal:
        assert ENTERED in terminal.written
        terminal.press("q")
        assert terminal.ended() == 0
        wait_for(lambda: LEFT in terminal.written)
    assert terminal.written.rindex(LEFT) > terminal.written.rindex(ENTERED)
    assert CURSOR in terminal.written


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_m6_a_signal_leaves_the_terminal_as_it_was(env: dict[str, str], number: signal.Signals, code: int) -> None:
    with on_a_terminal("monitor", env=env) as (terminal, before):
        terminal.shows("QUEUES")
        terminal.child.send_signal(number)
        assert terminal.ended() == code
        wait_for(lambda: LEFT in terminal.written)
        assert terminal.modes() == before
    assert "Traceback" not in terminal.written


@pytest.mark.usefixtures("busy")
def test_m6_everything_is_on_a_screen_of_80_by_24(env: dict[str, str]) -> None:
    with monitoring(env) as terminal:
        for text in (
            "transcode",
            "steady-worker",
            "█████░░░░░",
            "reading",
            "source_unreadable",
            "Test alert",
            "q quit",
        ):
            terminal.shows(text)
        assert len(terminal.screen) == 24
        assert max(map(len, terminal.screen)) <= 80
        assert any(line.startswith("  TASKS 11 of 20") for line in terminal.screen)


def test_m6_a_small_screen_and_a_resized_one_are_filled(ada: Client, video: Path, env: dict[str, str]) -> None:
    with monitoring(env, columns=60, lines=14) as terminal:
        wait_for(lambda: len(terminal.screen) == 14 and max(map(len, terminal.screen)) <= 60)
        terminal.resize(100, 30)
        wait_for(lambda: len(terminal.screen) == 30 and max(map(len, terminal.screen)) == 100)


def test_m6_p_pauses_the_chosen_queue_and_resumes_it(admin: Client, env: dict[str, str]) -> None:
    def paused() -> bool:
        return next(queue.paused for queue in admin.admin.queues() if queue.queue == TRANSCODE)

    with monitoring(env) as terminal:
        terminal.press("p")
        terminal.shows("transcode is paused")
        assert paused()
        wait_for(lambda: any("transcode" in line and "paused" in line for line in terminal.screen[:-1]))
        terminal.press("p")
        terminal.shows("transcode is resumed")
        assert not paused()


def test_m6_p_pauses_the_chosen_worker(admin: Client, worker: None, env: dict[str, str]) -> None:
    with monitoring(env) as terminal:
        down_to(terminal, "steady-worker")
        terminal.press("p")
        terminal.shows("steady-worker is paused")
        assert [each.wish for each in admin.admin.workers()] == ["pause"]


def test_m6_c_cancels_somebodys_job_when_that_is_confirmed(
    gateway: Gateway, ada: Client, video: Path, env: dict[str, str]
) -> None:
    job_id = ada.submit(video).job_id
    claim(gateway.resources)
    with monitoring(env) as terminal:
        terminal.shows("probe")
        down_to(terminal, "probe")
        terminal.press("c")
        terminal.shows("cancel the job of")
        terminal.press("n")
        terminal.shows("q quit")
        assert ada.jobs.get(job_id).status == "processing"
        terminal.press("c")
        terminal.shows("cancel the job of")
        terminal.press("y")
        terminal.shows(f"job {job_id} is cancelled")
    assert ada.jobs.get(job_id).status == "cancelled"


def test_m6_r_retries_a_failed_job(gateway: Gateway, ada: Client, video: Path, env: dict[str, str]) -> None:
    job_id = ada.submit(video).job_id
    gateway.resources.queue.fail(claim(gateway.resources), SourceUnreadable(), Spent())
    with monitoring(env) as terminal:
        down_to(terminal, "source_unreadable")
        terminal.press("r")
        terminal.shows("is tried again")
    assert ada.jobs.get(job_id).status == "queued"


def test_m6_a_viewer_sees_everything_and_pauses_nothing(gateway: Gateway, admin: Client, env: dict[str, str]) -> None:
    gateway.admin.post("/api/v1/monitoring/alerts/test")
    key = admin.keys.create("a viewer's", owner="vera", scopes=["viewer"]).key or ""
    with monitoring({**env, "MILL_API_KEY": key}) as terminal:
        terminal.shows("Test alert")
        terminal.press("p")
        wait_for(lambda: "operator" in terminal.screen[-1])
    assert not any(queue.paused for queue in admin.admin.queues())


def test_m6_no_color_is_respected(env: dict[str, str]) -> None:
    with monitoring({**env, "NO_COLOR": "1"}) as terminal:
        pass
    assert "\x1b[31m" not in terminal.written
    assert ";3" not in terminal.written


def test_m6_one_look_is_lines_or_an_object(ada: Client, video: Path, worker: None, env: dict[str, str]) -> None:
    ada.submit(video)
    ran = mill("monitor", "--once", env=env)
    told = [line.split("\t") for line in ran.stdout.splitlines()]
    assert ["queue", "transcode", "1 waiting", "0 running", "0 failed", "open"] in told
    assert ["worker", "steady-worker", "transcode", "0/2", "running"] in told
    assert "\x1b" not in ran.stdout
    found = json.loads(mill("monitor", "--once", "--json", env=env).stdout)
    assert [queue["pending"] for queue in found["queues"]] == [1, 0]
    assert len(found["stats"]["pace"]) == 60


def test_m6_a_pipe_gets_lines_until_an_interrupt(env: dict[str, str]) -> None:
    command = [MILL, "monitor", "--json", "--interval", "0.5"]
    with subprocess.Popen(command, env=env, stdout=-1, stderr=-1, text=True) as child:
        assert child.stdout is not None
        first, second = (json.loads(child.stdout.readline()) for _ in range(2))
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
    assert first["taken_at"] < second["taken_at"]
    assert (child.returncode, told) == (130, "")


def test_m6_check_ends_with_1_while_an_alert_fires(gateway: Gateway, env: dict[str, str]) -> None:
    assert mill("monitor", "--check", env=env).returncode == 0
    gateway.admin.post("/api/v1/monitoring/alerts/test")
    ran = mill("monitor", "--check", env=env)
    assert (ran.returncode, "alert\twarning\ttest\tTest alert" in ran.stdout) == (1, True)


def test_m6_without_a_server_or_the_right_key_it_says_so(env: dict[str, str], ada_key: str) -> None:
    assert mill("monitor", env={**env, "MILL_URL": "http://127.0.0.1:1"}).returncode == 3
    refused = mill("monitor", env={**env, "MILL_API_KEY": ada_key})
    assert (refused.returncode, refused.stdout) == (4, "")
