"""Where a connection goes, what it says, and how long it may take. TLS has a file of its own."""

from __future__ import annotations

import socket

import pytest
from source_server import Answer, SourceServer, redirect, reply, sent, source_server

from mill_common.errors import SourceRefused
from mill_common.outgoing import Limits, Outgoing, SourceUnreachable, parse_networks

LOOPBACK = parse_networks("127.0.0.0/8, ::1/128")


def _body(outgoing: Outgoing, url: str, redirects: int = 0) -> bytes:
    with outgoing.open(url, redirects=redirects) as response:
        return b"".join(response.iter_raw())


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


# Where it goes


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_network_of_the_operator_can_be_reached(address: str) -> None:
    with source_server(reply(b"clip"), address=address) as server:
        assert _body(Outgoing(networks=LOOPBACK), server.url) == b"clip"


def test_the_connection_goes_to_the_address_that_was_checked_though_the_name_moves_on() -> None:
    answers = [["127.0.0.2"], ["127.0.0.3"], ["127.0.0.3"]]
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    with (
        source_server(reply(b"checked"), address="127.0.0.2") as checked,
        source_server(reply(b"moved"), address="127.0.0.3", port=checked.port) as moved,
    ):
        outgoing = Outgoing(networks=LOOPBACK, resolve=rebinding)
        assert _body(outgoing, f"http://fickle.example:{checked.port}/") == b"checked"
        assert asked == ["fickle.example"]
        assert (checked.connections, moved.connections) == (1, 0)


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    with source_server(reply(b"clip"), address="127.0.0.2") as server:
        outgoing = Outgoing(networks=LOOPBACK, resolve=lambda host, port: ["127.0.0.9", "127.0.0.2"])
        assert _body(outgoing, f"http://two.example:{server.port}/") == b"clip"


def test_the_system_resolver_is_asked_unless_told_otherwise() -> None:
    with source_server(reply(b"clip")) as server:
        assert _body(Outgoing(networks=LOOPBACK), f"http://localhost:{server.port}/") == b"clip"
        assert server.header("Host") == f"localhost:{server.port}"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_in_the_environment_is_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, f"http://127.0.0.1:{_closed_port()}")
    with source_server(reply(b"clip")) as server:
        assert _body(Outgoing(networks=LOOPBACK), server.url) == b"clip"


# What it says


def test_the_host_header_and_the_query_are_those_of_the_url() -> None:
    with source_server(reply()) as server:
        outgoing = Outgoing(networks=LOOPBACK, resolve=lambda host, port: ["127.0.0.1"])
        _body(outgoing, f"http://Media.Example.:{server.port}/a%20b/clip.mp4?x=1&y=%2F#part")
        assert server.heads[0].splitlines()[0] == "GET /a%20b/clip.mp4?x=1&y=%2F HTTP/1.1"
        assert server.header("Host") == f"media.example:{server.port}"
        assert server.header("Accept-Encoding") == "identity"


def test_a_body_and_headers_are_sent() -> None:
    with source_server(reply(status="410 Gone")) as server:
        outgoing = Outgoing(networks=LOOPBACK)
        with outgoing.open(server.url, method="POST", headers={"Webhook-Id": "msg_1"}, content=b"{}") as response:
            assert response.status_code == 410
        assert server.heads[0].startswith("POST / HTTP/1.1")
        assert (server.header("webhook-id"), server.header("content-length")) == ("msg_1", "2")


def test_cookies_and_credentials_do_not_travel_along_a_redirect() -> None:
    to_end = redirect("/end")
    with source_server({"/": to_end, "/end": reply(headers=("Set-Cookie: a=b",))}) as server:
        outgoing = Outgoing(networks=LOOPBACK)
        _body(outgoing, server.url, redirects=1)
        _body(outgoing, server.url, redirects=1)
        assert server.connections == 4
        assert not any("cookie" in head.lower() or "authorization" in head.lower() for head in server.heads)


# Redirects


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
def test_a_redirect_is_followed(status: str) -> None:
    with source_server({"/a/b": redirect("../c?d=e", status), "/c": reply(b"clip")}) as server:
        assert _body(Outgoing(networks=LOOPBACK), f"{server.url}/a/b", redirects=5) == b"clip"
        assert server.heads[1].startswith("GET /c?d=e HTTP/1.1")


def test_a_redirect_is_an_answer_to_those_who_want_none() -> None:
    with source_server(redirect("/elsewhere")) as server, Outgoing(networks=LOOPBACK).open(server.url) as response:
        assert response.status_code == 302
        assert server.connections == 1


def test_five_redirects_are_followed() -> None:
    hops = {f"/{hop}": redirect(f"/{hop + 1}") for hop in range(5)}
    with source_server({**hops, "/5": reply(b"clip")}) as server:
        assert _body(Outgoing(networks=LOOPBACK), f"{server.url}/0", redirects=5) == b"clip"


def test_a_loop_of_redirects_ends_after_the_fifth() -> None:
    with source_server(redirect("/")) as server:
        with pytest.raises(SourceRefused, match="more than 5 times"):
            _body(Outgoing(networks=LOOPBACK), server.url, redirects=5)
        assert server.connections == 6


# Servers that are slow, broken or hostile


def _silent(connection: socket.socket, path: str, server: SourceServer) -> None:
    server.closing.wait(10)


def _dripping(head: bytes, drop: bytes, end: bytes = b"") -> Answer:
    def answer(connection: socket.socket, path: str, server: SourceServer) -> None:
        connection.sendall(head)
        for _ in range(100):
            if server.closing.wait(0.05):
                return
            connection.sendall(drop)
        connection.sendall(end)

    return answer


def _stopping(connection: socket.socket, path: str, server: SourceServer) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
    server.closing.wait(10)


# Each is slow in a way that only the limit beside it sees. The dripping ones would come to a good end, given time.
SLOW: dict[str, tuple[Limits, Answer]] = {
    "silent": (Limits(read_s=0.3), _silent),
    "a body that stops": (Limits(read_s=0.3), _stopping),
    "headers in drops": (
        Limits(answer_s=0.5),
        _dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", b"Content-Length: 0\r\n\r\n"),
    ),
    "interim answers": (
        Limits(answer_s=0.5),
        _dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ),
    "a body in drops": (Limits(total_s=0.5), _dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"x")),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_slow_server_is_given_up(kind: str) -> None:
    limits, answer = SLOW[kind]
    with source_server(answer) as server:
        with pytest.raises(SourceUnreachable, match="did not answer in time") as failure:
            _body(Outgoing(networks=LOOPBACK, limits=limits), f"{server.url}/clip.mp4?token=hush")
        assert "hush" not in failure.value.message


def test_the_limit_for_the_answer_is_not_one_for_the_body() -> None:
    with source_server(_dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"x")) as server:
        outgoing = Outgoing(networks=LOOPBACK, limits=Limits(answer_s=2.0))
        assert _body(outgoing, server.url) == b"x" * 100


def test_a_check_ends_a_wait_at_once_and_its_error_comes_out_unchanged() -> None:
    class Enough(Exception):
        pass

    with source_server(_silent) as server:

        def check() -> None:
            if server.heads:
                raise Enough

        with pytest.raises(Enough), Outgoing(networks=LOOPBACK).open(server.url, check=check):
            pass


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"e" * 500_000,
    ],
    ids=lambda raw: repr(raw[:60]),
)
def test_an_answer_that_is_no_whole_http_may_be_tried_again(raw: bytes) -> None:
    with source_server(sent(raw)) as server, pytest.raises(SourceUnreachable):
        _body(Outgoing(networks=LOOPBACK), server.url)


def test_a_server_that_is_down_may_be_tried_again() -> None:
    with pytest.raises(SourceUnreachable, match="cannot be reached"):
        _body(Outgoing(networks=LOOPBACK), f"http://127.0.0.1:{_closed_port()}/")


def test_a_name_that_leads_nowhere_may_be_tried_again() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    for outgoing in (Outgoing(resolve=unknown), Outgoing(resolve=lambda host, port: [])):
        with pytest.raises(SourceUnreachable, match=r"name in http://gone\.example/a (cannot|has no)"):
            _body(outgoing, "http://gone.example/a?token=hush")
