"""The client where nothing of the server is: a fresh environment with it and what it asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "libs/client/mill_client"
TRY = """
import pkgutil, importlib, sys
import mill_client
for module in pkgutil.walk_packages(mill_client.__path__, "mill_client."):
    importlib.import_module(module.name)
mill_client.Client("http://127.0.0.1:1", "").close()
print(sorted({name.split(".")[0] for name in sys.modules} & {"mill_common", "sqlmodel", "starlette", "dramatiq"}))
"""


def is_for_us(requirement: str) -> bool:
    """Whether a requirement counts here; one that is for other systems is not installed."""
    if "extra ==" in requirement:
        return False
    try:
        distribution(re.split(r"[^A-Za-z0-9._-]", requirement)[0])
    except PackageNotFoundError:
        return ";" not in requirement
    return True


def needed(name: str, found: dict[str, Distribution]) -> dict[str, Distribution]:
    """A distribution and everything that it requires without extras."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key not in found:
        found[key] = distribution(name)
        for line in found[key].requires or []:
            if is_for_us(line):
                needed(re.split(r"[^A-Za-z0-9._-]", line)[0], found)
    return found


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """The Python of a fresh environment that holds the client and what it requires."""
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env/bin/python"
    told = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    packages = Path(told.stdout.strip())
    for name, found in needed("mill-client", {}).items():
        for file in found.files or []:
            if ".." not in file.parts and (name != "mill-client" or file.parts[0].endswith(".dist-info")):
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(found.locate_file(file)), target)
    shutil.copytree(CLIENT, packages / "mill_client")
    return python


def test_every_module_can_be_imported_without_the_server(alone: Path) -> None:
    ran = subprocess.run([alone, "-I", "-c", TRY], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_the_command_runs_without_the_server(alone: Path) -> None:
    code = "import sys; sys.argv = ['mill', 'up']; from mill_client.cli import main; main()"
    ran = subprocess.run([alone, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, "pip install mill-standalone" in ran.stderr) == (2, True)


def test_the_environment_has_nothing_of_the_server(alone: Path) -> None:
    ran = subprocess.run([alone, "-I", "-c", "import mill_common"], capture_output=True, text=True, check=False)
    assert (ran.returncode, "ModuleNotFoundError" in ran.stderr) == (1, True)
