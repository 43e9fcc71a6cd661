from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from client.scripted import JOB, Reply, ScriptedServer, Seen, job_view

from mill_client import ApiError, Client, ConnectionFailed, OutputMissing, TransferFailed

ID = job_view()["job_id"]
VIDEO = os.urandom(900_000)
TEXT = b"one two three\n"


def listed(name: str, body: bytes, *, digest: bool = True) -> dict[str, object]:
    sha256 = hashlib.sha256(body).hexdigest() if digest else None
    kind = "hls" if name.startswith("hls/") else "rendition"
    return {"name": name, "kind": kind, "size": len(body), "sha256": sha256, "url": None}


def offer(server: ScriptedServer, *files: dict[str, object]) -> None:
    server.on("GET", f"{JOB}/outputs", Reply.of({"job_id": ID, "files": list(files)}))


def path_of(name: str) -> str:
    return f"{JOB}/download/{name}"


class Ranged:
    """Serves a file as the API does, with ranges; breaks off after so many bytes as long as there are cuts."""

    def __init__(self, body: bytes, *cuts: int, etag: str = '"v1"') -> None:
        self._body = body
        self._cuts = list(cuts)
        self._etag = etag

    def __call__(self, seen: Seen) -> Reply:
        start = int((seen.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        cut = self._cuts.pop(0) if self._cuts else None
        if not start or seen.headers["If-Range"] not in {None, self._etag}:
            return Reply(200, self._body, {"ETag": self._etag}, cut=cut)
        where = f"bytes {start}-{len(self._body) - 1}/{len(self._body)}"
        return Reply(206, self._body[start:], {"ETag": self._etag, "Content-Range": where}, cut=cut)


def ranges(server: ScriptedServer, name: str) -> list[str | None]:
    return [seen.headers["Range"] for seen in server.calls("GET", path_of(name))]


def left_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_outputs_are_written_under_the_names_the_server_lists(
    server: ScriptedServer, client: Client, tmp_path: Path
) -> None:
    offer(server, listed("360p.mp4", VIDEO), listed("hls/a #1.m3u8", TEXT, digest=False))
    server.on("GET", path_of("360p.mp4"), Ranged(VIDEO))
    server.on("GET", path_of("hls/a #1.m3u8"), Ranged(TEXT))
    done = client.download(ID, tmp_path / "new" / "folder")
    assert left_in(tmp_path / "new" / "folder") == {"360p.mp4", "hls/a #1.m3u8"}
    assert (tmp_path / "new/folder/360p.mp4").read_bytes() == VIDEO
    assert [(file.name, file.outcome, file.sha256) for file in done] == [
        ("360p.mp4", "downloaded", hashlib.sha256(VIDEO).hexdigest()),
        ("hls/a #1.m3u8", "downloaded", hashlib.sha256(TEXT).hexdigest()),
    ]


def test_a_file_already_there_is_not_sent_again(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("360p.mp4", VIDEO))
    server.on("GET", path_of("360p.mp4"), Ranged(VIDEO))
    client.download(ID, tmp_path)
    assert [file.outcome for file in client.download(ID, tmp_path)] == ["present"]
    assert len(ranges(server, "360p.mp4")) == 1


def test_another_file_of_the_same_name_and_size_is_replaced(
    server: ScriptedServer, client: Client, tmp_path: Path
) -> None:
    offer(server, listed("360p.mp4", VIDEO))
    server.on("GET", path_of("360p.mp4"), Ranged(VIDEO))
    (tmp_path / "360p.mp4").write_bytes(bytes(len(VIDEO)))
    client.download(ID, tmp_path)
    assert (tmp_path / "360p.mp4").read_bytes() == VIDEO


def test_without_a_digest_an_equal_size_is_no_proof(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("hls/master.m3u8", TEXT, digest=False))
    server.on("GET", path_of("hls/master.m3u8"), Ranged(TEXT))
    (tmp_path / "hls").mkdir()
    (tmp_path / "hls/master.m3u8").write_bytes(TEXT[::-1])
    client.download(ID, tmp_path)
    assert (tmp_path / "hls/master.m3u8").read_bytes() == TEXT


@pytest.mark.parametrize("digest", [True, False])
def test_a_broken_connection_is_gone_on_with_where_it_broke(
    server: ScriptedServer, client: Client, tmp_path: Path, digest: bool
) -> None:
    offer(server, listed("360p.mp4", VIDEO, digest=digest))
    server.on("GET", path_of("360p.mp4"), Ranged(VIDEO, 300_000, 300_000))
    client.download(ID, tmp_path)
    assert (tmp_path / "360p.mp4").read_bytes() == VIDEO
    first, *later = ranges(server, "360p.mp4")
    assert first is None
    starts = [int((asked or "").removeprefix("bytes=").rstrip("-")) for asked in later]
    assert starts == sorted(set(starts))
    assert len(starts) == 2
    assert starts[0] > 0


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(
    server: ScriptedServer, client: Client, tmp_path: Path
) -> None:
    offer(server, listed("360p.mp4", VIDEO, digest=False))
    old = Ranged(VIDEO[::-1], 300_000)
    server.on("GET", path_of("360p.mp4"), old, Ranged(VIDEO, etag='"v2"'))
    client.download(ID, tmp_path)
    assert (tmp_path / "360p.mp4").read_bytes() == VIDEO


def test_without_a_digest_or_a_strong_etag_nothing_is_gone_on_with(
    server: ScriptedServer, client: Client, tmp_path: Path
) -> None:
    offer(server, listed("hls/master.m3u8", VIDEO, digest=False))
    server.on("GET", path_of("hls/master.m3u8"), Ranged(VIDEO, 300_000, etag='W/"v1"'))
    client.download(ID, tmp_path)
    assert ranges(server, "hls/master.m3u8") == [None, None]
    assert (tmp_path / "hls/master.m3u8").read_bytes() == VIDEO


def test_a_later_run_goes_on_where_an_earlier_one_broke(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("360p.mp4", VIDEO))
    server.on("GET", path_of("360p.mp4"), Ranged(VIDEO, 600_000, 0, 0, 0))
    with pytest.raises(ConnectionFailed):
        client.download(ID, tmp_path)
    assert not (tmp_path / "360p.mp4").exists()
    before = len(ranges(server, "360p.mp4"))
    client.download(ID, tmp_path)
    assert left_in(tmp_path) == {"360p.mp4"}
    assert (tmp_path / "360p.mp4").read_bytes() == VIDEO
    asked = ranges(server, "360p.mp4")[before:]
    assert len(asked) == 1
    assert asked[0] is not None


def test_bad_bytes_of_an_earlier_run_are_thrown_away(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("360p.mp4", VIDEO))
    server.on("GET", path_of("360p.mp4"), Ranged(VIDEO, 600_000, 0, 0, 0))
    with pytest.raises(ConnectionFailed):
        client.download(ID, tmp_path)
    (part,) = tmp_path.iterdir()
    part.write_bytes(bytes(part.stat().st_size))
    client.download(ID, tmp_path)
    assert (tmp_path / "360p.mp4").read_bytes() == VIDEO


@pytest.mark.parametrize("sent", [VIDEO[:-1], VIDEO + b"x", VIDEO[::-1], b""])
def test_bytes_that_are_not_those_announced_get_no_name(
    server: ScriptedServer, client: Client, tmp_path: Path, sent: bytes
) -> None:
    offer(server, listed("360p.mp4", VIDEO))
    server.on("GET", path_of("360p.mp4"), Reply(200, sent))
    with pytest.raises(TransferFailed, match="360p"):
        client.download(ID, tmp_path)
    assert left_in(tmp_path) == set()


def test_a_range_that_was_not_asked_for_is_refused(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("360p.mp4", VIDEO))
    wrong = Reply(206, VIDEO[5:], {"Content-Range": f"bytes 5-{len(VIDEO) - 1}/{len(VIDEO)}"})
    server.on("GET", path_of("360p.mp4"), Ranged(VIDEO, 300_000), wrong)
    with pytest.raises(TransferFailed, match="another range"):
        client.download(ID, tmp_path)
    assert not (tmp_path / "360p.mp4").exists()


def test_an_empty_file_is_written(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("transcript.txt", b""))
    server.on("GET", path_of("transcript.txt"), Reply(200, b""))
    client.download(ID, tmp_path)
    assert (tmp_path / "transcript.txt").read_bytes() == b""


def test_nothing_is_written_if_one_name_is_not_safe(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("360p.mp4", VIDEO), listed("../evil", TEXT))
    server.on("GET", path_of("360p.mp4"), Ranged(VIDEO))
    with pytest.raises(TransferFailed, match="evil"):
        client.download(ID, tmp_path / "folder")
    assert left_in(tmp_path) == set()


def test_one_failure_ends_the_rest_and_is_the_one_told(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    names = [f"{number}p.mp4" for number in range(144, 164)]
    offer(server, *[listed(name, TEXT) for name in names], listed("bad.mp4", TEXT))
    for name in names:
        server.on("GET", path_of(name), Ranged(TEXT))
    server.on("GET", path_of("bad.mp4"), Reply.problem(500, "internal_error", "No disk."))
    with pytest.raises(ApiError, match="No disk"):
        client.download(ID, tmp_path, threads=2)
    whole = [path for path in tmp_path.iterdir() if not path.name.endswith(".part")]
    assert all(path.read_bytes() == TEXT for path in whole)
    assert tmp_path / "bad.mp4" not in whole


def test_bytes_that_no_later_run_could_trust_are_removed(
    server: ScriptedServer, client: Client, tmp_path: Path
) -> None:
    offer(server, listed("hls/master.m3u8", VIDEO, digest=False))
    server.on("GET", path_of("hls/master.m3u8"), Ranged(VIDEO, 300_000, 0, 0, 0))
    with pytest.raises(ConnectionFailed):
        client.download(ID, tmp_path)
    assert left_in(tmp_path) == set()


def test_only_what_was_named_is_fetched(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("360p.mp4", TEXT), listed("720p.mp4", VIDEO))
    server.on("GET", path_of("360p.mp4"), Ranged(TEXT))
    client.download(ID, tmp_path, ["360p"])
    assert left_in(tmp_path) == {"360p.mp4"}


def test_a_name_that_is_not_there_is_told(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("360p.mp4", TEXT))
    with pytest.raises(OutputMissing, match="1080p"):
        client.download(ID, tmp_path / "folder", ["1080p"])
    assert not (tmp_path / "folder").exists()


def test_progress_adds_up_to_the_size(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    offer(server, listed("360p.mp4", VIDEO))
    server.on("GET", path_of("360p.mp4"), Ranged(VIDEO, 300_000))
    told: list[int] = []
    client.download(ID, tmp_path, on_file=lambda _file, done: told.append(done))
    assert told == sorted(set(told))
    assert told[-1] == len(VIDEO)
