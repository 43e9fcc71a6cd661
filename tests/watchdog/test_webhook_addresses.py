"""Where webhooks may not go, and what the operator's allow-list opens: exactly what it names (requirement J10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hostile_urls import ILL_FORMED, NOT_PUBLIC
from source_server import SourceServer, redirect, reply, source_server

from mill_common.hooks.claims import DeliveryClaim
from mill_common.hooks.outcome import Answer
from mill_common.hooks.secrets import new_secret
from mill_common.models.webhooks import WebhookEvent
from mill_common.outgoing import Resolver, system_resolver
from mill_common.outgoing.patience import wanted
from mill_common.settings import Settings
from mill_watchdog.webhooks.posting import Poster

TAKEN = reply(status="204 No Content")


@pytest.fixture(scope="module")
def listener() -> Iterator[SourceServer]:
    """Where most hostile URLs point; it must never hear of them."""
    with source_server(TAKEN) as server:
        yield server


def _post(url: str, networks: str = "", resolve: Resolver = system_resolver) -> Answer:
    settings = Settings(data_dir=Path("unused"), webhook_networks=networks, webhook_timeout_s=5.0)
    claim = DeliveryClaim(
        id=UUID(int=1),
        epoch=1,
        endpoint_id=UUID(int=2),
        job_id=None,
        event=WebhookEvent.TEST,
        at=datetime.now(UTC),
        data={},
        attempts=0,
        url=url,
        secrets=[new_secret()],
        wanted=True,
    )
    return Poster(settings, resolve).post(claim, wanted)


def _is_refused(answer: Answer) -> bool:
    return (answer.status, (answer.error or "").partition(":")[0]) == (None, "address_refused")


def test_there_are_enough_hostile_urls_to_mean_something() -> None:
    assert len(set(NOT_PUBLIC)) >= 40
    assert len(set(ILL_FORMED)) >= 40


@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_never_sent_to(url: str, listener: SourceServer) -> None:
    before = listener.connections
    assert _is_refused(_post(url.replace("{port}", str(listener.port))))
    assert listener.connections == before


@pytest.mark.parametrize("url", ILL_FORMED)
def test_a_crooked_url_is_never_sent_to_even_where_its_address_is_open(url: str, listener: SourceServer) -> None:
    before = listener.connections
    assert _is_refused(_post(url.replace("{port}", str(listener.port)), "127.0.0.0/8, ::1/128"))
    assert listener.connections == before


def test_a_name_that_resolves_differently_the_second_time_is_asked_once(listener: SourceServer) -> None:
    # What was checked is what is connected to; the second answer would lead inside.
    answers: Iterator[Sequence[str]] = iter([["127.0.0.2"], ["127.0.0.1"]])
    before = listener.connections
    with source_server(TAKEN, address="127.0.0.2", port=listener.port) as named:
        answer = _post(f"http://fickle.example:{named.port}/", "127.0.0.2/32", lambda host, port: next(answers))
        assert (answer.status, named.connections) == (204, 1)
    assert list(answers) == [["127.0.0.1"]]
    assert listener.connections == before


def test_a_name_that_has_turned_inside_by_the_next_attempt_is_refused(listener: SourceServer) -> None:
    before = listener.connections
    assert _is_refused(_post(f"http://fickle.example:{listener.port}/", "127.0.0.2/32", lambda *_: ["127.0.0.1"]))
    assert listener.connections == before


@pytest.mark.parametrize("addresses", [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"]])
def test_a_name_with_one_inner_address_is_refused(addresses: list[str], listener: SourceServer) -> None:
    before = listener.connections
    assert _is_refused(_post(f"http://two.example:{listener.port}/", resolve=lambda *_: addresses))
    assert listener.connections == before


def test_a_redirect_is_a_failure_and_is_not_followed(listener: SourceServer) -> None:
    before = listener.connections
    with source_server(redirect(f"http://127.0.0.1:{listener.port}/"), address="127.0.0.3") as server:
        answer = _post(server.url, "127.0.0.0/8")
        assert (answer.status, answer.is_success) == (302, False)
    assert listener.connections == before


@pytest.mark.parametrize("address", ["127.0.0.3", "::1"])
def test_the_allow_list_opens_exactly_what_it_names(address: str) -> None:
    with source_server(TAKEN, address=address) as server:
        assert _post(server.url, "127.0.0.3/32, ::1/128").status == 204
        for beside in ("127.0.0.2/32", "10.0.0.0/8", "::2/128", "::ffff:127.0.0.3/128", ""):
            assert _is_refused(_post(server.url, beside))
        assert server.connections == 1


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, listener: SourceServer) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    before = listener.connections
    with source_server(TAKEN, address="127.0.0.3") as server:
        assert _post(server.url, "127.0.0.3/32").status == 204
    assert listener.connections == before
