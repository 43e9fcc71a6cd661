"""Downloads from servers that mean well and servers that don't."""

from __future__ import annotations

import gzip
import hashlib
import random
import socket
from pathlib import Path

import pytest
from source_server import Answer, SourceServer, redirect, reply, sent, source_server

from mill_common.errors import MillError, PermanentError, SourceMissing, SourceRefused, SourceTooLarge
from mill_common.outgoing import Outgoing, SourceUnreachable, download, parse_networks

OUTGOING = Outgoing(networks=parse_networks("127.0.0.0/8"))
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def _endless(head: bytes, block: bytes) -> Answer:
    def answer(connection: socket.socket, path: str, server: SourceServer) -> None:
        connection.sendall(head)
        while not server.closing.is_set():
            connection.sendall(block)

    return answer


def test_every_byte_arrives_and_progress_is_told(tmp_path: Path) -> None:
    body = random.Random(7).randbytes(3_000_000)
    fractions: list[float] = []
    with source_server(reply(body)) as server:
        found = download(
            OUTGOING, f"{server.url}/my%20clip.mp4?a=b", tmp_path / "f", max_bytes=len(body), progress=fractions.append
        )

    assert (found.size, found.filename) == (len(body), "my clip.mp4")
    assert hashlib.sha256((tmp_path / "f").read_bytes()).digest() == hashlib.sha256(body).digest()
    assert fractions == sorted(fractions)
    assert len(fractions) > 10
    assert fractions[-1] == 1.0


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.0 200 OK\r\n\r\nclip",
        CHUNKED + b"2\r\ncl\r\n2;x=y\r\nip\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nclip\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nclip",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 4\r\n\r\nclip",
    ],
)
def test_a_body_may_be_framed_in_any_way(raw: bytes, tmp_path: Path) -> None:
    with source_server(sent(raw)) as server:
        found = download(OUTGOING, server.url, tmp_path / "f", max_bytes=4)

    assert (tmp_path / "f").read_bytes() == b"clip"
    assert (found.size, found.filename) == (4, "source")


@pytest.mark.parametrize(
    ("start", "answers", "name"),
    [
        ("/a.mp4", {"/a.mp4": reply(headers=("Content-Disposition: attachment; filename=b.mkv",))}, "b.mkv"),
        ("/a.mp4", {"/a.mp4": redirect("/b.mp4?c"), "/b.mp4": reply()}, "b.mp4"),
        ("/a.mp4", {"/a.mp4": redirect("/"), "/": reply()}, "a.mp4"),
        ("/", {"/": reply()}, "source"),
    ],
)
def test_the_file_is_named_by_the_server_or_by_a_url(
    start: str, answers: dict[str, Answer], name: str, tmp_path: Path
) -> None:
    with source_server(answers) as server:
        assert download(OUTGOING, server.url + start, tmp_path / "f", max_bytes=10).filename == name


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, SourceRefused),
        (206, SourceRefused),
        (304, SourceRefused),
        (401, SourceRefused),
        (403, SourceRefused),
        (404, SourceMissing),
        (408, SourceUnreachable),
        (410, SourceMissing),
        (418, SourceRefused),
        (429, SourceUnreachable),
        (500, SourceUnreachable),
        (503, SourceUnreachable),
    ],
)
def test_a_status_says_whether_to_try_again(status: int, kind: type[MillError], tmp_path: Path) -> None:
    with source_server(reply(status=f"{status} Hm")) as server, pytest.raises(kind, match=str(status)) as failure:
        download(OUTGOING, f"{server.url}/?token=hush", tmp_path / "f", max_bytes=10)
    assert "hush" not in failure.value.message
    assert not (tmp_path / "f").exists()


def test_a_length_over_the_limit_is_refused_before_the_body(tmp_path: Path) -> None:
    with source_server(reply(b"x", length=11)) as server, pytest.raises(SourceTooLarge, match="10 bytes"):
        download(OUTGOING, server.url, tmp_path / "f", max_bytes=10)
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    "answer",
    [
        _endless(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 65536),
        _endless(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        _endless(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 65536 + b"\r\n",
        ),
    ],
    ids=["until it closes", "chunked", "a small length that means nothing"],
)
def test_a_body_without_end_is_cut_off_at_the_limit(answer: Answer, tmp_path: Path) -> None:
    with source_server(answer) as server, pytest.raises(SourceTooLarge):
        download(OUTGOING, server.url, tmp_path / "f", max_bytes=1_000_000)
    assert (tmp_path / "f").stat().st_size <= 1_000_000


def test_one_byte_over_the_limit_is_too_many(tmp_path: Path) -> None:
    with (
        source_server(sent(CHUNKED + b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n")) as server,
        pytest.raises(SourceTooLarge),
    ):
        download(OUTGOING, server.url, tmp_path / "f", max_bytes=10)


def test_a_body_of_exactly_the_limit_is_taken(tmp_path: Path) -> None:
    with source_server(reply(b"x" * 10)) as server:
        assert download(OUTGOING, server.url, tmp_path / "f", max_bytes=10).size == 10


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, zstd", "deflate"])
def test_a_compressed_body_is_refused_unread(encoding: str, tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    with source_server(reply(bomb, headers=(f"Content-Encoding: {encoding}",))) as server:
        with pytest.raises(SourceRefused, match="compressed"):
            download(OUTGOING, server.url, tmp_path / "f", max_bytes=20_000_000)
        assert server.header("Accept-Encoding") == "identity"
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("raw", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nclip", CHUNKED + b"9\r\nclip"])
def test_a_body_that_breaks_off_may_be_tried_again(raw: bytes, tmp_path: Path) -> None:
    with source_server(sent(raw)) as server, pytest.raises(SourceUnreachable, match="broke off"):
        download(OUTGOING, server.url, tmp_path / "f", max_bytes=10)


def test_a_refused_address_is_a_permanent_error(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as failure:
        download(Outgoing(), "http://127.0.0.1/", tmp_path / "f", max_bytes=10)
    assert failure.value.code == "address_refused"
