"""Servers and clients for the tests of the SDK and the `mill` command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from client.scripted import ScriptedServer

from mill_client import Client
from mill_client.cli import main


@dataclass(frozen=True)
class Ran:
    """What a run of the `mill` command left."""

    code: int
    out: str
    err: str


Mill = Callable[..., Ran]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    with Client(server.url, "mill_test", timeout_s=5) as connected:
        yield connected


@pytest.fixture
def mill(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mill:
    """Runs the `mill` command in this process against `server`."""
    monkeypatch.setenv("MILL_URL", server.url)
    monkeypatch.setenv("MILL_API_KEY", "mill_test")

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["mill", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
