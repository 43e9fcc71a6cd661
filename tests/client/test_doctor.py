from __future__ import annotations

import socket

import pytest
from client.scripted import Reply, ScriptedServer

from mill_client.cli.doctor import print_checks
from mill_client.doctor import server_checks

READY = Reply.of({"status": "ready"})
NO_JOBS = Reply.of({"jobs": [], "next_cursor": None})


def checked(server: ScriptedServer, key: str = "mill_test") -> dict[str, str]:
    return {check.name: check.status for check in server_checks(server.url, key)}


def test_all_is_well_with_a_server_that_is_ready_and_knows_the_key(server: ScriptedServer) -> None:
    server.on("GET", "/readyz", READY)
    server.on("GET", "/api/v1/jobs", NO_JOBS)
    assert checked(server) == {"server": "ok", "ready": "ok", "key": "ok"}


def test_a_server_that_is_not_ready_says_why(server: ScriptedServer) -> None:
    server.on("GET", "/readyz", Reply.problem(503, "not_ready", "No database."))
    server.on("GET", "/api/v1/jobs", NO_JOBS)
    assert checked(server) == {"server": "ok", "ready": "failed", "key": "ok"}
    assert server_checks(server.url, "k")[1].detail == "No database."


def test_a_key_that_the_server_does_not_know_is_told(server: ScriptedServer) -> None:
    server.on("GET", "/readyz", READY)
    server.on("GET", "/api/v1/jobs", Reply.problem(401, "unauthenticated", "No such key."))
    *_, key = server_checks(server.url, "wrong")
    assert (key.status, key.detail) == ("failed", "No such key.")
    assert "MILL_API_KEY" in key.mend


def test_without_a_server_nothing_else_is_asked() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        checks = server_checks(f"http://127.0.0.1:{unused.getsockname()[1]}", "k")
    assert [(check.name, check.status) for check in checks] == [("server", "failed")]
    assert "mill up" in checks[0].mend


def test_another_kind_of_server_is_not_taken_for_ours(server: ScriptedServer) -> None:
    server.on("GET", "/readyz", Reply(302, headers={"Location": "/login"}))
    assert checked(server) == {"server": "failed"}


def test_a_url_that_is_none_is_a_failed_check() -> None:
    assert [check.status for check in server_checks("nonsense", "k")] == ["failed"]


@pytest.mark.parametrize("as_json", [True, False])
def test_the_first_failed_check_decides_the_exit_code(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    server.on("GET", "/readyz", Reply.problem(503, "not_ready"))
    server.on("GET", "/api/v1/jobs", Reply.problem(401, "unauthenticated"))
    checks = server_checks(server.url, "k")
    assert print_checks(checks, as_json=as_json) == 7
    assert print_checks(checks[2:], as_json=as_json) == 4
    assert print_checks(checks[:1], as_json=as_json) == 0
    assert "\x1b" not in capsys.readouterr().out
