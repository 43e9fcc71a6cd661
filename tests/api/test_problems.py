from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from api.running import Gateway
from starlette.requests import Request

from mill_api.operations import endpoints

FIELDS = {"type", "title", "status", "code", "detail", "instance"}
MEDIA_TYPE = "application/problem+json"


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    """Whether an answer is a problem document of that status and code."""
    body = answer.json()
    assert answer.headers["content-type"] == MEDIA_TYPE, answer.text
    assert body.keys() - {"errors"} == FIELDS, answer.text
    return (answer.status_code, body["status"], body["code"]) == (status, status, code)


@pytest.fixture
def stranger(gateway: Gateway) -> Iterator[httpx.Client]:
    """Somebody without a key."""
    with gateway.client() as client:
        yield client


def test_an_unknown_path_is_a_problem(stranger: httpx.Client) -> None:
    for path in ("/", "/nothing", "/api/v1", "/api/v1/nothing", "/api/v1/jobs/", "/assets/redoc/nothing.js", "/docs/"):
        assert is_problem(stranger.get(path), 404, "not_found"), path


def test_an_unknown_method_is_a_problem_that_names_the_others(gateway: Gateway, stranger: httpx.Client) -> None:
    for endpoint in endpoints():
        path = endpoint.path.replace("{", "").replace("}", "").replace(":path", "")
        allowed = set(endpoint.allow.split(", "))
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - allowed:
            answer = stranger.request(method, path)
            assert is_problem(answer, 405, "method_not_allowed"), (method, path)
            assert set(answer.headers["allow"].split(", ")) == allowed
    for path in ("/docs", "/openapi.json", "/assets/redoc/redoc.standalone.js"):
        answer = stranger.post(path)
        assert is_problem(answer, 405, "method_not_allowed")
        assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))
    assert gateway.url


def test_options_names_every_method_of_a_path(stranger: httpx.Client) -> None:
    answer = stranger.options("/api/v1/jobs")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


def test_head_is_get_without_its_body(ada: httpx.Client, stranger: httpx.Client) -> None:
    for path in ("/api/v1/jobs", "/health", "/docs", "/openapi.json"):
        whole, head = ada.get(path), ada.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))
    assert stranger.head("/api/v1/jobs").status_code == 401


def test_a_body_of_another_type_is_a_problem(ada: httpx.Client) -> None:
    for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp"):
        answer = ada.post("/api/v1/jobs", content=b"{}", headers={"Content-Type": kind})
        assert is_problem(answer, 415, "unsupported_media_type"), kind
    assert is_problem(ada.post("/api/v1/jobs", content=b"{}"), 415, "unsupported_media_type")


@pytest.mark.parametrize("body", [b"", b"{", b"{'a': 1}", b"\xff\xfe", b'{"source": {"url": "\\ud800"}}', b"[" * 5000])
def test_malformed_json_is_a_problem(ada: httpx.Client, body: bytes) -> None:
    answer = ada.post("/api/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert is_problem(answer, 422, "invalid_request")


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_too_large_for_json_is_a_problem(ada: httpx.Client, announced: bool) -> None:
    body = b" " * 300_000
    content = body if announced else iter([body[:200_000], body[200_000:]])
    answer = ada.post("/api/v1/jobs", content=content, headers={"Content-Type": "application/json"})
    assert is_problem(answer, 413, "body_too_large")


def test_an_id_that_is_none_is_a_problem(ada: httpx.Client) -> None:
    for path in ("/api/v1/jobs/1", "/api/v1/uploads/x", "/api/v1/jobs/..%2f..", "/stream/1/2/3"):
        assert is_problem(ada.get(path), 404, "not_found"), path


def test_an_accident_tells_nothing_of_its_cause(
    gateway: Gateway, ada: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_request: Request) -> None:
        raise RuntimeError("the secret of the house")

    endpoint = next(endpoint for endpoint in gateway.endpoints() if endpoint.path == "/api/v1/jobs")
    operation = endpoint.operations["GET"]
    monkeypatch.setitem(endpoint.operations, "GET", replace(operation, function=broken, query=None))
    with caplog.at_level(logging.CRITICAL + 1, "uvicorn.error"):
        answer = ada.get("/api/v1/jobs")
    assert is_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_answer_carries_the_security_headers(ada: httpx.Client, stranger: httpx.Client) -> None:
    for answer in (
        ada.get("/api/v1/jobs"),
        stranger.get("/api/v1/jobs"),
        stranger.get("/nothing"),
        stranger.get("/docs"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_a_request_keeps_the_name_it_came_with(stranger: httpx.Client) -> None:
    assert (
        stranger.get("/health", headers={"X-Request-Id": "from-the-proxy"}).headers["x-request-id"] == "from-the-proxy"
    )
    made = stranger.get("/health", headers={"X-Request-Id": "not a name;"}).headers["x-request-id"]
    assert made not in ("", "not a name;")
