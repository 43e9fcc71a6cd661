"""URLs that must lead nowhere. A server listens where most of them point and must never hear of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile_urls import ILL_FORMED, NOT_PUBLIC
from source_server import SourceServer, redirect, reply, source_server

from mill_common.outgoing import AddressRefused, Outgoing, parse_networks

LOOPBACK = parse_networks("127.0.0.0/8, ::1/128")

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
