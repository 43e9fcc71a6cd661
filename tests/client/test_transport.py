from __future__ import annotations

import socket

import pytest
from client.scripted import JOB, Reply, ScriptedServer, job_view

from mill_client import (
    ApiError,
    Client,
    Conflict,
    ConnectionFailed,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    ServerError,
    Unauthenticated,
    UnexpectedAnswer,
)

ID = job_view()["job_id"]


def test_the_key_goes_with_every_request(server: ScriptedServer, client: Client) -> None:
    server.on("GET", JOB, Reply.of(job_view()))
    client.jobs.get(ID)
    assert server.seen[0].headers["X-API-Key"] == "mill_test"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_read_is_repeated_until_the_server_is_well_again(server: ScriptedServer, client: Client, status: int) -> None:
    server.on("GET", JOB, Reply(status), Reply(status), Reply.of(job_view()))
    assert client.jobs.get(ID).job_id == ID
    assert len(server.seen) == 3


def test_an_error_of_the_server_itself_is_not_repeated(server: ScriptedServer, client: Client) -> None:
    server.on("GET", JOB, Reply.problem(500, "internal_error"))
    with pytest.raises(ServerError):
        client.jobs.get(ID)
    assert len(server.seen) == 1


def test_repeating_ends_after_as_many_retries_as_allowed(server: ScriptedServer) -> None:
    server.on("GET", JOB, Reply.problem(503, "not_ready", "Not yet."))
    with Client(server.url, retries=1) as client, pytest.raises(ServerError, match="Not yet") as caught:
        client.jobs.get(ID)
    assert (caught.value.status, caught.value.code, len(server.seen)) == (503, "not_ready", 2)


def test_a_read_is_repeated_after_a_broken_answer(server: ScriptedServer, client: Client) -> None:
    whole = Reply.of(job_view())
    server.on("GET", JOB, Reply(200, whole.body, whole.headers, cut=10), whole)
    assert client.jobs.get(ID).job_id == ID


def test_a_job_is_made_once_though_the_answer_to_the_first_request_is_lost(
    server: ScriptedServer, client: Client
) -> None:
    whole = Reply.of(job_view("queued"), 201)
    server.on("POST", "/api/v1/jobs", Reply(201, whole.body, whole.headers, cut=5), Reply(504), whole)
    client.jobs.create(url="https://example.org/a.mp4")
    keys = [seen.headers["Idempotency-Key"] for seen in server.seen]
    assert len(keys) == 3
    assert keys[0]
    assert len(set(keys)) == 1


def test_two_jobs_get_two_idempotency_keys(server: ScriptedServer, client: Client) -> None:
    server.on("POST", "/api/v1/jobs", Reply.of(job_view("queued"), 201))
    for _ in range(2):
        client.jobs.create(url="https://example.org/a.mp4")
    assert len({seen.headers["Idempotency-Key"] for seen in server.seen}) == 2


@pytest.mark.parametrize("status", [502, 504])
def test_what_does_more_when_done_twice_is_not_repeated_in_doubt(
    server: ScriptedServer, client: Client, status: int
) -> None:
    server.on("POST", f"{JOB}/retry", Reply(status))
    with pytest.raises(ServerError):
        client.jobs.retry(ID)
    assert len(server.seen) == 1


def test_what_was_surely_not_taken_is_repeated(server: ScriptedServer, client: Client) -> None:
    server.on("POST", f"{JOB}/retry", Reply(503), Reply(429), Reply.of(job_view("queued")))
    assert client.jobs.retry(ID).status == "queued"


def test_a_server_that_asks_for_a_long_break_is_not_waited_for(server: ScriptedServer, client: Client) -> None:
    server.on("GET", JOB, Reply(429, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as caught:
        client.jobs.get(ID)
    assert (caught.value.retry_after_s, len(server.seen)) == (3600, 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (413, Invalid),
        (415, Invalid),
        (422, Invalid),
        (418, ApiError),
        (500, ServerError),
    ],
)
def test_each_status_is_an_error_of_its_own(
    server: ScriptedServer, client: Client, status: int, kind: type[ApiError]
) -> None:
    server.on("GET", JOB, Reply.problem(status, "some_code", "In words."))
    with pytest.raises(ApiError) as caught:
        client.jobs.get(ID)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.detail, str(error)) == (status, "some_code", "In words.", "In words.")
    assert error.problem["title"] == "some_code"


def test_a_refused_request_says_what_is_wrong_where(server: ScriptedServer, client: Client) -> None:
    errors = [{"loc": ["body", "spec", 0], "message": "too small"}, "nonsense", {"message": "and more"}]
    server.on("GET", JOB, Reply.problem(422, "invalid_request", errors=errors))
    with pytest.raises(Invalid) as caught:
        client.jobs.get(ID)
    assert caught.value.errors == [("body.spec.0", "too small"), ("", "and more")]


@pytest.mark.parametrize(
    "body", [b"<html>Bad gateway</html>", b"", b'{"code"', b'["code"]', b'{"code": 7}', b"\xff\xfe"]
)
def test_a_refusal_that_is_no_problem_document_is_told_by_its_status(
    server: ScriptedServer, client: Client, body: bytes
) -> None:
    server.on("GET", JOB, Reply(403, body))
    with pytest.raises(Forbidden) as caught:
        client.jobs.get(ID)
    assert (caught.value.code, caught.value.detail) == ("http_403", "403 Forbidden")


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"", b"[]", b'{"job_id": 5}'])
def test_an_answer_of_another_kind_of_server_is_recognised(server: ScriptedServer, client: Client, body: bytes) -> None:
    server.on("GET", JOB, Reply(200, body))
    with pytest.raises(UnexpectedAnswer, match=server.url):
        client.jobs.get(ID)


def test_a_redirect_is_not_followed_with_the_key(server: ScriptedServer, client: Client) -> None:
    server.on("GET", JOB, Reply(302, headers={"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(UnexpectedAnswer, match="/elsewhere"):
        client.jobs.get(ID)
    assert len(server.seen) == 1


def test_a_field_that_is_new_to_the_client_is_kept(server: ScriptedServer, client: Client) -> None:
    server.on("GET", JOB, Reply.of(job_view(novelty={"a": 1})))
    assert client.jobs.get(ID).model_dump()["novelty"] == {"a": 1}


def test_a_server_that_says_nothing_is_given_up(server: ScriptedServer) -> None:
    server.on("GET", JOB, Reply(hang=True))
    with Client(server.url, timeout_s=0.2, retries=1) as client, pytest.raises(ConnectionFailed, match="too long"):
        client.jobs.get(ID)
    assert len(server.seen) == 2


def test_where_no_server_is_the_error_says_its_url() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with Client(url, retries=1) as client, pytest.raises(ConnectionFailed, match=url) as caught:
            client.jobs.get(ID)
    assert caught.value.url == url


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "localhost"])
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Client(url)


@pytest.mark.parametrize("key", ["a\nb", "schlüssel"])
def test_what_cannot_be_a_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Client("http://127.0.0.1:1", key)


def test_url_and_key_come_from_the_environment(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILL_URL", f"{server.url}/")
    monkeypatch.setenv("MILL_API_KEY", "mill_from_environment\n")
    server.on("GET", JOB, Reply.of(job_view()))
    with Client() as client:
        client.jobs.get(ID)
    assert server.seen[0].headers["X-API-Key"] == "mill_from_environment"


def test_no_proxy_stands_between_programs_on_one_machine(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.on("GET", JOB, Reply.of(job_view()))
    with Client(server.url) as client:
        assert client.jobs.get(ID).job_id == ID
