from __future__ import annotations

import pytest
from typer.testing import CliRunner

from mill_client.cli.app import build


@pytest.mark.parametrize("command", ["up", "migrate"])
def test_without_the_server_package_its_commands_say_what_to_install(command: str) -> None:
    ran = CliRunner().invoke(build([]), [command, "--port", "1"])
    assert ran.exit_code == 2
    assert "pip install mill-standalone" in ran.stderr


def test_without_the_server_package_doctor_is_the_clients_own() -> None:
    ran = CliRunner().invoke(build([]), ["doctor", "--url", "http://127.0.0.1:1", "--json"])
    assert ran.exit_code == 3
    assert '"name": "server"' in ran.stdout
