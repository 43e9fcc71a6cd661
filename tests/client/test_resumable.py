"""Q7, J15: large files by tus 1.0.0, through broken connections and killed processes, on the real gateway."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from api.running import Gateway
from client.processes import MILL, environment, mill
from client.relay import Relay
from client.scripted import lines
from waiting import wait_for

from mill_client import Client, NotFound, QuotaExceeded, Stopped, TransferFailed
from mill_client._tus import PIECE
from mill_common.models import Owner

SIZE = 3 * PIECE + 12_345


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(os.urandom(SIZE))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stopping_after(limit: int) -> Callable[[int, int], None]:
    def on_bytes(sent: int, _total: int) -> None:
        if sent > limit:
            raise Stopped("enough")

    return on_bytes


def test_a_large_file_arrives_whole_and_tells_how_far_it_is(ada: Client, film: Path) -> None:
    told: list[tuple[int, int]] = []
    upload = ada.uploads.send_resumable(film, on_bytes=lambda sent, total: told.append((sent, total)))
    assert (upload.status, upload.size, upload.sha256, upload.filename) == ("complete", SIZE, digest(film), "film.mp4")
    assert told == sorted(told)
    assert told[-1] == (SIZE, SIZE)


def test_an_interrupted_upload_is_gone_on_with_by_its_url(ada: Client, film: Path) -> None:
    urls: list[str] = []
    with pytest.raises(Stopped):
        ada.uploads.send_resumable(film, on_start=urls.append, on_bytes=stopping_after(PIECE))
    told: list[int] = []
    upload = ada.uploads.send_resumable(film, upload_url=urls[0], on_bytes=lambda sent, _: told.append(sent))
    assert (told[0] >= PIECE, upload.sha256) == (True, digest(film))
    assert urls[0].endswith(upload.id)


def test_a_connection_that_breaks_again_and_again_is_opened_again(gateway: Gateway, ada_key: str, film: Path) -> None:
    with Relay(gateway.url, cut_after=PIECE + PIECE // 2) as relay, Client(relay.url, ada_key) as far:
        upload = far.uploads.send_resumable(film)
        assert relay.cuts > 1
    assert upload.sha256 == digest(film)


def test_an_upload_of_another_file_is_not_gone_on_with(ada: Client, film: Path, tmp_path: Path) -> None:
    urls: list[str] = []
    ada.uploads.send_resumable(film, on_start=urls.append)
    other = tmp_path / "other.mp4"
    other.write_bytes(b"something else")
    with pytest.raises(TransferFailed, match="has 14"):
        ada.uploads.send_resumable(other, upload_url=urls[0])


def test_a_file_that_changed_between_two_runs_is_noticed(ada: Client, film: Path) -> None:
    urls: list[str] = []
    with pytest.raises(Stopped):
        ada.uploads.send_resumable(film, on_start=urls.append, on_bytes=stopping_after(PIECE))
    film.write_bytes(os.urandom(SIZE))
    with pytest.raises(TransferFailed, match="other bytes"):
        ada.uploads.send_resumable(film, upload_url=urls[0])


def test_an_upload_that_is_gone_is_said_to_be(ada: Client, film: Path) -> None:
    with pytest.raises(NotFound):
        ada.uploads.send_resumable(film, upload_url="/api/v1/uploads/tus/00000000-0000-7000-8000-000000000000")


def test_a_large_file_goes_to_storage_directly_in_parts(ada: Client, tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    path.write_bytes(os.urandom(65 * 2**20))
    told: list[int] = []
    upload = ada.uploads.send_direct(path, on_bytes=lambda sent, _total: told.append(sent))
    assert (upload.status, upload.size, max(told)) == ("complete", 65 * 2**20, 65 * 2**20)
    assert ada.jobs.create(upload_id=upload.id).source.size_bytes == 65 * 2**20


def test_a_small_file_goes_to_storage_directly_in_one(ada: Client, video: Path) -> None:
    assert ada.uploads.send_direct(video, filename="other.mp4").filename == "other.mp4"


def test_a_used_up_quota_has_its_numbers(admin: Client, gateway: Gateway, film: Path) -> None:
    key = admin.keys.create("poor", owner="poor").key
    with gateway.resources.database.write() as session:
        owner = session.get(Owner, "poor")
        assert owner is not None
        owner.storage_quota = 1000
    with Client(gateway.url, key) as poor, pytest.raises(QuotaExceeded) as caught:
        poor.uploads.send_resumable(film)
    assert (caught.value.limit, caught.value.used, caught.value.requested) == (1000, 0, SIZE)


def test_a_killed_command_goes_on_where_it_was(
    gateway: Gateway, ada_key: str, film: Path, homes: dict[str, str]
) -> None:
    notes = Path(homes["XDG_STATE_HOME"]) / "mediamill/uploads"
    with Relay(gateway.url, hold_after=2 * PIECE + PIECE // 2) as relay:
        env = environment(relay.url, MILL_API_KEY=ada_key, **homes)
        with subprocess.Popen([MILL, "submit", str(film), "--json"], env=env, stdout=subprocess.PIPE) as child:
            wait_for(lambda: relay.is_holding)
            child.send_signal(signal.SIGKILL)
            child.wait(60)
        assert len(list(notes.iterdir())) == 1
        relay.release()
        before = relay.passed
        again = mill("submit", str(film), "--json", env=env)
        sent_again = relay.passed - before
    assert again.returncode == 0, again.stderr
    first, *_, job = lines(again.stdout)
    assert first["bytes_sent"] >= 2 * PIECE  # type: ignore[operator]
    assert job["source"]["file_hash"] == digest(film)  # type: ignore[index]
    assert sent_again < SIZE - PIECE
    assert list(notes.iterdir()) == []


def test_a_command_whose_upload_is_gone_begins_anew(
    gateway: Gateway, ada: Client, ada_key: str, film: Path, homes: dict[str, str]
) -> None:
    notes = Path(homes["XDG_STATE_HOME"]) / "mediamill/uploads"
    with Relay(gateway.url, hold_after=PIECE + PIECE // 2) as relay:
        env = environment(relay.url, MILL_API_KEY=ada_key, **homes)
        with subprocess.Popen([MILL, "submit", str(film), "--json"], env=env, stdout=subprocess.PIPE) as child:
            wait_for(lambda: relay.is_holding)
            child.send_signal(signal.SIGKILL)
            child.wait(60)
        (note,) = notes.iterdir()
        relay.release()
        ada.uploads.delete(json.loads(note.read_text())["upload"].rpartition("/")[2])
        again = mill("submit", str(film), "--json", env=env)
    assert again.returncode == 0, again.stderr
    assert lines(again.stdout)[-1]["source"]["file_hash"] == digest(film)  # type: ignore[index]


def test_an_interrupted_command_says_how_to_go_on(
    gateway: Gateway, ada_key: str, film: Path, homes: dict[str, str]
) -> None:
    with Relay(gateway.url, hold_after=PIECE) as relay:
        env = environment(relay.url, MILL_API_KEY=ada_key, **homes)
        with subprocess.Popen([MILL, "submit", str(film)], env=env, stderr=subprocess.PIPE, text=True) as child:
            wait_for(lambda: relay.is_holding)
            child.send_signal(signal.SIGINT)
            relay.release()
            _, told = child.communicate(timeout=60)
    assert (child.returncode, "Traceback" in told) == (130, False)
    assert "give the same command again" in told
