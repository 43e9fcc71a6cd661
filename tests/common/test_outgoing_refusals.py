"""URLs that must lead nowhere. A server listens where most of them point and must never hear of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from source_server import SourceServer, redirect, reply, source_server

from mill_common.outgoing import AddressRefused, Outgoing, parse_networks

LOOPBACK = parse_networks("127.0.0.0/8, ::1/128")

# {port} is where the server listens on 127.0.0.1.
NOT_PUBLIC = [
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.8.9.10:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127。0。0。1:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:0001]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:0:0:0:0:80ff:fffe]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[ff02::1]:{port}/",
    "http://10.0.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://169.254.169.254/latest/meta-data/",
    "http://172.16.0.1/",
    "https://192.168.0.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
]
ILL_FORMED = [
    "http://2130706433:{port}/",
    "http://017700000001:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0X7F.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.0.0.01:{port}/",
    "http://127.0.0.1..:{port}/",
    "http://127.0.0.256:{port}/",
    "http://localhost.0x:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://१२७.0.0.1:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[fe80::1%lo]:{port}/",
    "http://[v1.127]:{port}/",
    "http://[::1:{port}/",
    "http://[127.0.0.1]:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://user:word@127.0.0.1:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://example.com%40@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}\\",
    "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://?127.0.0.1:{port}/",
    "http://",
    "",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y",
    "http://127.0.0.1:{port}/\t",
    "http://127.0.0.1:{port}/\u2028",
    "http://127.0.0.1:{port}/\x00",
    "http://127.0.0.1:{port}:80/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:22/",
    "http://127.0.0.1:25/",
    "http://127.0.0.1:6667/",
    "http://127.0.0.1:65536/",
    "http://-flag.localhost:{port}/",
    "http://a..localhost:{port}/",
    "http://*.localhost:{port}/",
    "http://" + "a" * 64 + ".localhost:{port}/",
    "http://" + "a." * 127 + "localhost:{port}/",
    "http://127.0.0.1:{port}/" + "a" * 9000,
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "ws://127.0.0.1:{port}/",
    "unix:///run/x.sock",
    "http+unix://%2Frun%2Fx.sock/",
    "javascript:alert(1)",
    "data:video/mp4;base64,AAAA",
]
CROOKED_LOCATIONS = [
    "",
    "//127.0.0.1:{port}/",
    "//user:word@127.0.0.3:{port}/",
    "http://2130706433:{port}/",
    "http://127.1:{port}/",
    "http://127.0.0.3@127.0.0.1:{port}/",
    "http://127.0.0.3\\@127.0.0.1:{port}/",
    "http://127.0.0.3:22/",
    "http://[::1%25lo]:{port}/",
    "http://[::1",
    "ftp://127.0.0.3/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "javascript:alert(1)",
]


@pytest.fixture(scope="module")
def listener() -> Iterator[SourceServer]:
    with source_server(reply(b"secret")) as server:
        yield server


def _is_refused(outgoing: Outgoing, url: str, listener: SourceServer) -> str:
    before = listener.connections
    with pytest.raises(AddressRefused) as refusal, outgoing.open(url.replace("{port}", str(listener.port))):
        pass
    assert listener.connections == before
    assert refusal.value.code == "address_refused"
    return refusal.value.message


@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused(url: str, listener: SourceServer) -> None:
    assert "not public" in _is_refused(Outgoing(), url, listener)


@pytest.mark.parametrize("url", ILL_FORMED)
def test_a_crooked_url_is_refused_even_where_its_address_is_open(url: str, listener: SourceServer) -> None:
    _is_refused(Outgoing(networks=LOOPBACK), url, listener)


@pytest.mark.parametrize("url", [url for url in NOT_PUBLIC if url.isascii()] + CROOKED_LOCATIONS)
def test_a_redirect_to_such_a_place_is_refused(url: str, listener: SourceServer) -> None:
    before = listener.connections
    answer = redirect(url.replace("{port}", str(listener.port)))
    with source_server(answer, address="127.0.0.3") as server:
        outgoing = Outgoing(networks=parse_networks("127.0.0.3/32"))
        with pytest.raises(AddressRefused), outgoing.open(server.url, redirects=5):
            pass
        assert server.connections == 1
    assert listener.connections == before


@pytest.mark.parametrize(
    "addresses", [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["2606:4700::1", "fe80::1%eth0"]]
)
def test_a_name_is_refused_if_even_one_of_its_addresses_is_private(
    addresses: list[str], listener: SourceServer
) -> None:
    _is_refused(Outgoing(resolve=lambda host, port: addresses), "http://two-faced.example:{port}/", listener)


def test_a_name_that_turns_private_between_two_hops_is_refused(listener: SourceServer) -> None:
    answers = iter([["127.0.0.3"], ["127.0.0.1"]])
    with source_server(redirect("/again"), address="127.0.0.3") as server:
        outgoing = Outgoing(networks=parse_networks("127.0.0.3/32"), resolve=lambda host, port: next(answers))
        with pytest.raises(AddressRefused), outgoing.open(f"http://turncoat.example:{server.port}/", redirects=5):
            pass
        assert server.connections == 1


def test_the_refusal_shows_neither_the_query_nor_the_address_behind_a_name() -> None:
    outgoing = Outgoing(resolve=lambda host, port: ["10.20.30.40"])
    with pytest.raises(AddressRefused) as refusal, outgoing.open("http://inside.example/clip.mp4?token=hush#part"):
        pass
    assert refusal.value.message == "http://inside.example/clip.mp4 leads to an address that is not public."


def test_the_refusal_shows_no_credentials() -> None:
    with pytest.raises(AddressRefused) as refusal, Outgoing().open("http://me:hush@inside.example/"):
        pass
    assert "hush" not in refusal.value.message
