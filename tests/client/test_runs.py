"""M1 to M4, M6: runs of schedules, in the SDK and the `mill` command, on the real gateway."""

from __future__ import annotations

import json
import signal
import subprocess
from functools import partial

import pytest
from api.running import ADMIN_KEY, Gateway
from client.processes import MILL, environment, mill
from client.scripted import lines
from client.terminal import on_a_terminal

from mill_client import Client, NotFound
from mill_common.runs import RunClaim, begin_now, register
from mill_common.runs.ledger import Counts, complete, fail, now, renew

LEASE_S = 60.0


@pytest.fixture
def env(gateway: Gateway, admin: Client, homes: dict[str, str]) -> dict[str, str]:
    """A viewer's."""
    key = admin.keys.create("a viewer's", owner="vera", scopes=["viewer"]).key or ""
    return environment(gateway.url, **{**homes, "MILL_API_KEY": key})


def begin(gateway: Gateway, name: str = "old_jobs", done: int = 0) -> RunClaim:
    """Begin a run, as a watchdog does."""
    database = gateway.resources.database
    run = database.run(lambda session: begin_now(session, name, worker="w", lease_s=LEASE_S, parameters={}))
    counts = Counts(total=200, succeeded=done)
    database.run(lambda session: renew(session, run, counts, lease_s=LEASE_S))
    return run


def end(gateway: Gateway, run: RunClaim, error: str = "") -> None:
    """End it, well or not."""
    if error:
        gateway.resources.database.run(lambda session: fail(session, run, Counts(), error))
    else:
        counts = Counts(total=200, succeeded=200)
        gateway.resources.database.run(partial(complete, claim=run, counts=counts, result={"found": 200}))


def test_m1_m4_the_sdk_reads_runs(gateway: Gateway, admin: Client) -> None:
    run = begin(gateway, done=50)
    (shown,) = admin.monitoring.active_runs()
    assert (shown.id, shown.job_name, shown.total_items, shown.progress_percent) == (str(run.id), "old_jobs", 200, 25.0)
    end(gateway, run)
    assert admin.monitoring.active_runs() == []
    assert admin.monitoring.run(shown.id).status == "completed"
    assert [each.id for each in admin.monitoring.run_history(job_name="old_jobs", limit=1)] == [shown.id]
    with pytest.raises(NotFound):
        admin.monitoring.run("018f0000-0000-7000-8000-000000000000")


def test_m6_active_lists_runs_at_work(gateway: Gateway, env: dict[str, str]) -> None:
    run = begin(gateway, done=50)
    ran = mill("active", env=env)
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[1].split("\t")[:5] == [str(run.id), "old_jobs", "running", "50/200", "25.0 %"]
    (told,) = lines(mill("runs", "active", "--json", env=env).stdout)
    assert told["progress_percent"] == 25.0


def test_m6_history_is_filtered_and_checked(gateway: Gateway, env: dict[str, str]) -> None:
    end(gateway, begin(gateway, "stuck_jobs"), "storage does not answer")
    for _ in range(3):
        end(gateway, begin(gateway))
    found = lines(mill("history", "--job", "old_jobs", "--limit", "2", "--json", env=env).stdout)
    assert [run["job_name"] for run in found] == ["old_jobs", "old_jobs"]
    assert mill("history", "--job", "old_jobs", "--check", env=env).returncode == 0
    assert mill("history", env=env).returncode == 0
    ran = mill("history", "--check", env=env)
    assert (ran.returncode, "storage does not answer" in ran.stdout) == (1, True)


def test_m6_summary_says_what_runs_next(gateway: Gateway, env: dict[str, str]) -> None:
    with gateway.resources.database.write() as session:
        following = now(session).replace(year=2200)
        register(session, "old_jobs", cron="0 2 * * *", timezone="UTC", next_at=following)
    assert "never run" in mill("summary", env=env).stdout
    end(gateway, begin(gateway), "storage does not answer")
    ran = mill("summary", "--check", env=env)
    assert (ran.returncode, "2200-" in ran.stdout) == (1, True)
    (found,) = lines(mill("summary", "--json", env=env).stdout)
    assert found["summary"]["old_jobs"]["status"] == "failed"  # type: ignore[index]


def test_m6_status_ends_as_its_run_did(gateway: Gateway, env: dict[str, str]) -> None:
    well, ill = begin(gateway), begin(gateway, "stuck_jobs")
    end(gateway, well)
    end(gateway, ill, "storage does not answer")
    assert mill("status", str(well.id), env=env).returncode == 0
    ran = mill("status", "--id", str(ill.id), env=env)
    assert (ran.returncode, "storage does not answer" in ran.stdout) == (1, True)
    assert mill("status", "018f0000-0000-7000-8000-000000000000", env=env).returncode == 5
    assert mill("status", env=env).returncode == 2


def test_m6_watched_in_a_pipe_each_change_is_a_line(gateway: Gateway, env: dict[str, str]) -> None:
    run = begin(gateway, done=50)
    command = [MILL, "runs", "watch", "--json", "--interval", "0.2"]
    with subprocess.Popen(command, env=env, stdout=-1, stderr=-1, text=True) as child:
        assert child.stdout is not None
        first = json.loads(child.stdout.readline())
        end(gateway, run)
        last = json.loads(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
    assert (first["status"], last["status"]) == ("running", "completed")
    assert (child.returncode, told) == (130, "")


def test_m6_watched_on_a_terminal_runs_come_and_go(gateway: Gateway, env: dict[str, str]) -> None:
    run = begin(gateway, done=50)
    with on_a_terminal("active", "--watch", "--interval", "0.2", env=env, columns=140) as (terminal, before):
        terminal.shows("50/200")
        end(gateway, run)
        terminal.shows("no run is at work")
        terminal.child.send_signal(signal.SIGINT)
        assert terminal.ended() == 130
        assert terminal.modes() == before


def test_m6_people_without_the_scope_are_refused(env: dict[str, str], ada_key: str) -> None:
    assert mill("summary", env={**env, "MILL_API_KEY": ada_key}).returncode == 4
    assert mill("summary", env={**env, "MILL_API_KEY": ADMIN_KEY}).returncode == 0
