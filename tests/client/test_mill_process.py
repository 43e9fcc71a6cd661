"""The installed `mill` command, run as a user runs it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from client.processes import MILL, environment, mill
from client.scripted import JOB, Reply, ScriptedServer, job_view

ID = job_view()["job_id"]
HALF = Reply.of(job_view("processing", 50))
DONE = Reply.of(job_view("completed", 100))


def on_a_terminal(*arguments: str, env: dict[str, str]) -> tuple[int, str]:
    """Exit code and everything that the command writes to a terminal."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([MILL, *arguments], env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:  # Linux says EIO where the other end is closed
        pass
    os.close(ours)
    return child.wait(30), written.decode()


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder of an installed package that adds commands: one that works, one that is broken."""
    about = tmp_path / "other_tool-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other-tool\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[mill.commands]\ngreet = other_tool:greet\nbroken = other_tool_missing:run\n"
    )
    (tmp_path / "other_tool.py").write_text(
        "import sys\n"
        "import typer\n"
        "print('other_tool is loaded', file=sys.stderr)\n"
        "def greet(context: typer.Context, name: str, port: int = 8000, loud: bool = False) -> None:\n"
        "    '''Say hello.'''\n"
        "    print(f'hello {name} {port} {loud} {context.obj.url}')\n"
        "    raise typer.Exit(9) if loud else SystemExit(0)\n"
    )
    return tmp_path


def test_help_tells_every_command_and_every_exit_code() -> None:
    ran = mill("--help", env=environment())
    words = " ".join(ran.stdout.split())
    assert ran.returncode == 0
    assert all(f" {name} " in words for name in ["submit", "get", "list", "cancel", "download", "keys", "doctor", "up"])
    assert all(f"; {code} " in words for code in [1, 2, 3, 4, 5, 6, 7, 8, 130])
    assert "\x1b" not in ran.stdout


def test_a_command_of_another_package_takes_its_own_options(plugins: Path) -> None:
    env = environment(PYTHONPATH=str(plugins))
    ran = mill("--url", "http://x", "greet", "ann", "--port", "9", env=env)
    assert (ran.returncode, ran.stdout) == (0, "hello ann 9 False http://x\n")
    assert mill("greet", "ann", "--loud", env=env).returncode == 9
    assert "mill greet" in mill("greet", "--help", env=env).stdout


def test_a_command_of_another_package_is_loaded_only_when_called(plugins: Path) -> None:
    ran = mill("--help", env=environment(PYTHONPATH=str(plugins)))
    assert "Added by other-tool." in ran.stdout
    assert ran.stderr == ""


def test_a_broken_command_breaks_only_itself(plugins: Path, server: ScriptedServer) -> None:
    server.on("GET", JOB, DONE)
    env = environment(server.url, PYTHONPATH=str(plugins))
    broken = mill("broken", env=env)
    assert broken.returncode == 1
    assert broken.stderr.startswith("error: `mill broken` cannot be loaded from other-tool: No module named")
    assert mill("get", ID, "--json", env=env).returncode == 0


def test_a_terminal_shows_progress_and_waits_by_itself(server: ScriptedServer) -> None:
    server.on("POST", "/api/v1/jobs", Reply.of(job_view("queued", 0), 201))
    server.on("GET", JOB, HALF, DONE)
    code, shown = on_a_terminal("submit", "https://example.org/a.mp4", env=environment(server.url))
    assert code == 0
    assert "encoding 360p" in shown
    assert "100%" in shown
    assert "360p.mp4" in shown
    assert "\x1b[" in shown


def test_a_terminal_without_colour_gets_none(server: ScriptedServer) -> None:
    server.on("GET", JOB, Reply.problem(404, "not_found", "There is no such job."))
    _, coloured = on_a_terminal("get", ID, env=environment(server.url))
    _, plain = on_a_terminal("get", ID, env=environment(server.url, NO_COLOR="1"))
    assert "\x1b[1;31m" in coloured
    assert "31m" not in plain
    assert "There is no such job." in plain


def test_an_interrupt_ends_with_130_and_leaves_the_job(server: ScriptedServer) -> None:
    server.on("POST", "/api/v1/jobs", Reply.of(job_view("queued", 0), 201))
    server.on("GET", JOB, HALF)
    command = [MILL, "submit", "https://example.org/a.mp4", "--wait", "--json"]
    with subprocess.Popen(
        command, env=environment(server.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert '"processing"' in child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=30)
    assert child.returncode == 130
    assert f"mill get {ID} --wait" in told
    assert server.calls("POST", f"{JOB}/cancel") == []


def test_a_reader_that_goes_away_ends_the_list_quietly(server: ScriptedServer) -> None:
    page = {"jobs": [{"job_id": ID, "status": "queued"}] * 100, "next_cursor": "more"}
    server.on("GET", "/api/v1/jobs", Reply.of(page))
    with subprocess.Popen(
        [MILL, "list", "--all", "--json"], env=environment(server.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(30) != 0


def test_the_client_loads_no_server_package() -> None:
    code = (
        "import sys, mill_client, mill_client.doctor, mill_client.cli; from mill_client import Client;"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'mill_common', 'mill_api', 'mill_standalone', 'sqlmodel', 'starlette', 'dramatiq'}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
