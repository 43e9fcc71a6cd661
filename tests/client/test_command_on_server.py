"""The `mill` command as a process on the real gateway."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import threading
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from api.running import ADMIN_KEY, Gateway, claim, complete
from client.conftest import Mill
from client.processes import MILL, environment, mill
from client.scripted import ScriptedServer, lines

from mill_client import Client
from mill_common.errors import SourceUnreadable
from mill_common.queue import Spent


class Shell:
    """Runs the command as somebody who has jobs there."""

    def __init__(self, url: str, key: str, homes: dict[str, str]) -> None:
        self.env = environment(url, **{**homes, "MILL_API_KEY": key})

    def __call__(self, *arguments: str) -> CompletedProcess[str]:
        return mill(*arguments, env=self.env)

    def json(self, *arguments: str) -> list[dict[str, object]]:
        ran = self(*arguments, "--json")
        assert ran.returncode == 0, ran.stderr
        return lines(ran.stdout)


@pytest.fixture
def shell(gateway: Gateway, ada_key: str, homes: dict[str, str]) -> Shell:
    return Shell(gateway.url, ada_key, homes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three videos, one of them further down."""
    for name in ("films/a.mp4", "films/b.mp4", "films/more/c.mp4", "films/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "films"


def test_a_pattern_submits_every_file_once(shell: Shell, folder: Path) -> None:
    made = shell.json("submit", f"{folder}/**/*.mp4", f"{folder}/a.mp4", "--collection", "films", "--no-wait")
    jobs = [line for line in made if "job_id" in line]
    assert sorted(str(job["source"]["filename"]) for job in jobs) == ["a.mp4", "b.mp4", "c.mp4"]  # type: ignore[index]
    (collection,) = shell.json("collections")
    assert (collection["name"], collection["jobs"]) == ("films", 3)


def test_q1_the_same_files_again_are_the_same_jobs(shell: Shell, folder: Path) -> None:
    first = shell("submit", f"{folder}/a.mp4")
    assert "was there already" in (again := shell("submit", f"{folder}/a.mp4")).stderr
    assert again.stdout == first.stdout
    assert shell("submit", f"{folder}/a.mp4", "--force").stdout != first.stdout


def test_several_jobs_are_followed_to_their_ends(gateway: Gateway, shell: Shell, folder: Path) -> None:
    command = [MILL, "submit", f"{folder}/*.mp4", "--wait", "--json"]
    with subprocess.Popen(command, env=shell.env, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = []
        for line in child.stdout:
            told.append(json.loads(line))
            if told[-1].get("event") == "progress" and told[-1]["status"] == "queued" and not _worked(told[:-1]):
                threading.Thread(target=lambda: [complete(gateway.resources) for _ in range(2)]).start()
    assert child.returncode == 0
    assert [line["status"] for line in told[-2:]] == ["completed", "completed"]


def _worked(told: list[dict[str, object]]) -> bool:
    return any(line.get("event") == "progress" for line in told)


def test_one_source_that_is_refused_keeps_no_other_from_going_on(shell: Shell, folder: Path) -> None:
    ran = shell("submit", "https://", f"{folder}/a.mp4", "--json")
    told = lines(ran.stdout)
    assert [line["source"]["filename"] for line in told if "source" in line] == ["a.mp4"]  # type: ignore[index]
    assert [line["filename"] for line in told if line.get("event") == "error"] == ["https://"]
    assert ran.returncode == 6


def test_a_folder_is_no_video(shell: Shell, folder: Path) -> None:
    ran = shell("submit", str(folder))
    assert (ran.returncode, "is a folder" in ran.stderr) == (2, True)


def test_j8_j9_a_job_is_looked_into_and_controlled(gateway: Gateway, shell: Shell, folder: Path) -> None:
    job_id = shell("submit", f"{folder}/a.mp4").stdout.strip()
    assert shell.json("priority", job_id, "9")[0]["priority"] == 9
    assert shell.json("edit", job_id, "--metadata", "x=1")[0]["user_metadata"] == {"x": "1"}
    gateway.resources.queue.fail(claim(gateway.resources), SourceUnreadable(), Spent())
    assert shell.json("attempts", job_id)[0]["error_code"] == "source_unreadable"
    assert "error" in shell("logs", job_id, "--level", "warning").stdout
    assert shell("get", job_id, "--wait").returncode == 1
    assert shell.json("retry", job_id)[0]["status"] == "queued"
    assert shell.json("cancel", job_id)[0]["job_id"] == job_id


def test_j5_named_jobs_are_watched_to_their_ends(gateway: Gateway, shell: Shell, folder: Path) -> None:
    job_id = shell("submit", f"{folder}/a.mp4").stdout.strip()
    complete(gateway.resources)
    assert shell.json("watch", job_id)[-1]["event"] == "complete"
    assert shell("watch", job_id).returncode == 0


def test_j5_all_jobs_are_watched_until_an_interrupt(gateway: Gateway, ada: Client, shell: Shell, video: Path) -> None:
    with subprocess.Popen([MILL, "watch", "--json"], env=shell.env, stdout=-1, stderr=-1, text=True) as child:
        assert child.stdout is not None
        stop = threading.Event()

        def work() -> None:
            while not stop.wait(0.2):
                ada.submit(video)
                complete(gateway.resources)

        worker = threading.Thread(target=work)
        worker.start()
        assert json.loads(child.stdout.readline())["job_id"]
        stop.set()
        worker.join()
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
    assert (child.returncode, told) == (130, "")


def test_j6_j11_j12_numbers_and_exports_are_printed(shell: Shell, folder: Path, tmp_path: Path) -> None:
    shell("submit", f"{folder}/*.mp4")
    assert shell.json("stats")[0]["total_jobs"] == 2
    assert "requests" in shell("usage", "--group-by", "route").stdout
    assert shell("export", "--output", str(tmp_path / "jobs.csv")).returncode == 0
    assert len((tmp_path / "jobs.csv").read_text().splitlines()) == 3
    assert len(shell.json("export")) == 2


def test_j10_webhooks_are_kept(shell: Shell) -> None:
    (made,) = shell.json("webhooks", "add", "https://hooks.example.org/x", "--event", "job.failed")
    assert str(made["secret"]).startswith("whsec_")
    hook = str(made["id"])
    assert shell.json("webhooks", "edit", hook, "--disable")[0]["enabled"] is False
    assert shell("webhooks", "test", hook).returncode == 6
    assert shell("webhooks", "edit", hook, "--enable").returncode == 0
    sent = shell.json("webhooks", "test", hook)[0]["id"]
    assert [each["id"] for each in shell.json("webhooks", "deliveries", hook)] == [sent]
    assert shell.json("webhooks", "delete", hook)[0]["deleted"] is True


def test_a_profile_says_where_and_as_whom(gateway: Gateway, ada_key: str, homes: dict[str, str]) -> None:
    env = environment(**homes)
    for name in ("MILL_URL", "MILL_API_KEY"):
        env.pop(name, None)
    assert mill("profile", "add", "home", "--url", gateway.url, "--api-key", ada_key, env=env).returncode == 0
    assert mill("list", env=env).returncode == 0
    assert mill("profile", "add", "far", "--url", "http://127.0.0.1:1", "--api-key", "x", env=env).returncode == 0
    assert mill("--profile", "far", "list", env=env).returncode == 3
    assert mill("profile", "use", "far", env=env).returncode == 0
    assert mill("list", env=env).returncode == 3
    assert mill("list", env={**env, "MILL_PROFILE": "home"}).returncode == 0
    listed = lines(mill("profile", "list", "--json", env=env).stdout)
    assert [(line["name"], line["current"]) for line in listed] == [("far", True), ("home", False)]
    assert mill("profile", "remove", "far", env=env).returncode == 0
    assert mill("--profile", "far", "list", env=env).returncode == 2


def test_profiles_are_their_owners_alone(gateway: Gateway, homes: dict[str, str]) -> None:
    ran = mill("profile", "add", "x", "--url", gateway.url, "--api-key", "quite-secret", env=environment(**homes))
    path = Path(homes["XDG_CONFIG_HOME"]) / "mediamill/config.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "quite-secret" not in ran.stdout + ran.stderr
    assert "quite-secret" not in mill("profile", "list", env=environment(**homes)).stdout


def test_a_profiles_key_goes_to_no_other_server(
    mill: Mill, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MILL_API_KEY")
    monkeypatch.delenv("MILL_URL")
    mill("profile", "add", "home", "--url", "http://127.0.0.1:1", "--api-key", "quite-secret")
    mill("--url", server.url, "list")
    assert [seen.headers["X-API-Key"] for seen in server.seen] == [None]


def test_a_broken_profile_file_is_told_in_a_line(homes: dict[str, str]) -> None:
    path = Path(homes["XDG_CONFIG_HOME"]) / "mediamill/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("not = toml = at all")
    env = {name: text for name, text in environment(**homes).items() if name not in {"MILL_URL", "MILL_API_KEY"}}
    ran = mill("list", env=env)
    assert (ran.returncode, "understood" in ran.stderr, "Traceback" in ran.stderr) == (2, True, False)


def test_users_are_added_changed_listed_and_removed(gateway: Gateway, homes: dict[str, str]) -> None:
    """A8: passwords come from a pipe or are asked for, and stand in no argument."""
    env = environment(gateway.url, **{**homes, "MILL_API_KEY": ADMIN_KEY})

    def users(*arguments: str, typed: str = "") -> CompletedProcess[str]:
        return subprocess.run(
            [MILL, "users", *arguments], env=env, input=typed, capture_output=True, text=True, check=False, timeout=100
        )

    def signs_in(password: str) -> bool:
        with gateway.client() as nobody:
            sent = nobody.post("/api/v1/auth/login", json={"username": "grace", "password": password})
        return sent.status_code == 200

    assert (
        "grace may sign in, as operator"
        in users("add", "grace", "--role", "operator", typed="a long password\n").stderr
    )
    assert signs_in("a long password")
    assert users("add", "grace", typed="a long password\n").returncode == 6
    (row,) = lines(users("list", "--json").stdout)
    assert (row["name"], row["role"], row["owner"]) == ("grace", "operator", "grace")
    assert users("change", "grace", "--role", "viewer", "--password", typed="another password\n").returncode == 0
    assert (signs_in("a long password"), signs_in("another password")) == (False, True)
    assert users("change", "grace", "--disable").returncode == 0
    assert not signs_in("another password")
    assert users("remove", "grace").returncode == 0
    assert users("remove", "grace").returncode == 5
    assert users("list").stdout.count("\n") == 1
