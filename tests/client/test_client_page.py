"""docs/client.md says what is so: its examples run on the real gateway, its exit codes are the command's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pytest
from api.running import ADMIN_KEY, Gateway
from client.processes import MILL, environment
from client.terminal import on_a_terminal
from client.test_gateway import publish

from mill_client import Client
from mill_client.cli.exits import MEANING

PAGE = (Path(__file__).parents[2] / "docs/client.md").read_text()
PYTHON = re.findall(r"```python\n(.+?)```", PAGE, re.S)
SHELL = re.findall(r"```sh\n(.+?)```", PAGE, re.S)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the videos that the examples speak of."""
    path = tmp_path / "desk"
    path.mkdir()
    (path / "lecture.mp4").write_bytes(b"moving pictures")
    (path / "clip.mp4").write_bytes(b"more of them")
    return path


def example(of: Sequence[str], sign: str) -> str:
    """The one example that has `sign` in it."""
    (found,) = [text for text in of if sign in text]
    return found


def test_no_example_is_left_out() -> None:
    assert (len(PYTHON), len(SHELL), PAGE.count("```")) == (4, 2, 2 * 6), "a new example needs a test"


def test_the_first_example_takes_a_video_to_its_files(gateway: Gateway, ada_key: str, desk: Path) -> None:
    code = example(PYTHON, "the-key").replace("http://127.0.0.1:8000", gateway.url).replace("the-key", ada_key)
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
        subprocess.run([sys.executable, "-c", example(PYTHON, "upload_url")], cwd=desk, env=env, check=True, timeout=60)
    assert len({job.job_id for job in ada.jobs.each()}) == 2


def test_the_merging_example_makes_one_job_of_two_videos(
    gateway: Gateway, ada: Client, ada_key: str, desk: Path
) -> None:
    env = {**os.environ, "MILL_URL": gateway.url, "MILL_API_KEY": ada_key}
    code = [sys.executable, "-c", example(PYTHON, "JobSource")]
    said = subprocess.run(code, cwd=desk, env=env, check=True, timeout=60, capture_output=True, text=True)
    assert said.stdout == "2\n"
    assert [ada.jobs.get(job.job_id).source.video_count for job in ada.jobs.each()] == [2, 2]


def test_the_webhook_example_refuses_what_is_not_signed() -> None:
    names: dict[str, object] = {}
    exec(example(PYTHON, "webhooks.verify"), names)
    assert names["receive"](b"{}", {}, "whsec_aaaa") == 400  # type: ignore[operator]


def test_the_shell_example_runs(gateway: Gateway, ada: Client, ada_key: str, desk: Path, homes: dict[str, str]) -> None:
    script = example(SHELL, "mill submit").replace("http://127.0.0.1:8000", gateway.url)
    env = {**environment(**homes), "KEY": ada_key, "PATH": f"{Path(MILL).parent}:{os.environ['PATH']}"}
    for name in ("MILL_URL", "MILL_API_KEY"):
        env.pop(name, None)
    subprocess.run(["sh", "-e", "-c", script], cwd=desk, env=env, check=True, timeout=100)
    jobs = {job.collection: job.job_id for job in ada.jobs.each()}
    assert jobs.keys() == {"lectures", "trips"}
    assert all(job_id in (desk / "jobs.csv").read_text() for job_id in jobs.values())


def test_the_operators_example_runs(gateway: Gateway, admin: Client, desk: Path, homes: dict[str, str]) -> None:
    assert gateway.admin.post("/api/v1/admin/cleanup-old-jobs").status_code == 200
    (run,) = admin.monitoring.run_history()
    env = environment(gateway.url, **homes, MILL_API_KEY=ADMIN_KEY, PATH=f"{Path(MILL).parent}:{os.environ['PATH']}")
    first, *rest = [line.partition("#")[0].strip() for line in example(SHELL, "mill monitor").splitlines()]
    with on_a_terminal(*first.split()[1:], env=env) as (terminal, _):
        terminal.shows("QUEUES")
        terminal.press("q")
        assert terminal.ended() == 0
    script = "\n".join(rest).replace("status RUN", f"status {run.id}")
    # What goes on until it is interrupted is.
    script = script.replace("mill active --watch", "timeout --signal=INT 5 mill active --watch || test $? = 124")
    script = 'notify() { echo "$1" > told.txt; }\n' + script
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=desk, env=env, check=True, timeout=100)
    assert json.loads((desk / "now.json").read_text())
    assert not (desk / "told.txt").exists(), "no alert fires"


def test_the_page_tells_every_exit_code() -> None:
    told = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.M))
    assert told == {str(int(code)): meaning for code, meaning in MEANING.items()}
