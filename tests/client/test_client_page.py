"""docs/client.md says what is so: its examples run on the real gateway, its exit codes are the command's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from api.running import Gateway
from client.processes import MILL, environment
from client.test_gateway import publish

from mill_client import Client
from mill_client.cli.exits import MEANING

PAGE = (Path(__file__).parents[2] / "docs/client.md").read_text()
PYTHON = re.findall(r"```python\n(.+?)```", PAGE, re.S)
SHELL = re.findall(r"```sh\n(.+?)```", PAGE, re.S)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the video that the examples speak of."""
    path = tmp_path / "desk"
    path.mkdir()
    (path / "lecture.mp4").write_bytes(b"moving pictures")
    return path


def test_the_first_example_takes_a_video_to_its_files(gateway: Gateway, ada_key: str, desk: Path) -> None:
    code = PYTHON[0].replace("http://127.0.0.1:8000", gateway.url).replace("the-key", ada_key)
    with subprocess.Popen([sys.executable, "-u", "-c", code], cwd=desk, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert float(child.stdout.readline()) < 100  # it waits by now
        Thread(target=publish, args=[gateway.resources, {"transcript.txt": b"one"}]).start()
        *_, last = child.stdout
    assert (child.returncode, float(last)) == (0, 100.0)
    assert (desk / "lecture/transcript.txt").read_bytes() == b"one"


def test_the_resumable_example_makes_a_job(gateway: Gateway, ada: Client, ada_key: str, desk: Path) -> None:
    env = {**os.environ, "MILL_URL": gateway.url, "MILL_API_KEY": ada_key}
    for _ in range(2):  # the second goes on with what the first sent
        subprocess.run([sys.executable, "-c", PYTHON[1]], cwd=desk, env=env, check=True, timeout=60)
    assert len({job.job_id for job in ada.jobs.each()}) == 2


def test_the_webhook_example_refuses_what_is_not_signed() -> None:
    names: dict[str, object] = {}
    exec(PYTHON[2], names)
    assert names["receive"](b"{}", {}, "whsec_aaaa") == 400  # type: ignore[operator]


def test_the_shell_example_runs(gateway: Gateway, ada: Client, ada_key: str, desk: Path, homes: dict[str, str]) -> None:
    script = SHELL[0].replace("http://127.0.0.1:8000", gateway.url)
    env = {**environment(**homes), "KEY": ada_key, "PATH": f"{Path(MILL).parent}:{os.environ['PATH']}"}
    for name in ("MILL_URL", "MILL_API_KEY"):
        env.pop(name, None)
    subprocess.run(["sh", "-e", "-c", script], cwd=desk, env=env, check=True, timeout=100)
    (job,) = ada.jobs.each()
    assert (job.collection, job.job_id in (desk / "jobs.csv").read_text()) == ("lectures", True)


def test_the_page_tells_every_exit_code() -> None:
    told = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.M))
    assert told == {str(int(code)): meaning for code, meaning in MEANING.items()}
