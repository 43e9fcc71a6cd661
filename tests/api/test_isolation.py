"""Whoever names what is another owner's learns nothing: every operation of the document answers as for what never was.

The operations come from the document, so a new one is asked, too; one with an id of a new kind fails until it is known
here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from api.running import Gateway, complete, submit, upload

from mill_api.app import describe
from mill_api.operations import endpoints

DOCUMENT = describe(endpoints())
OPERATIONS = [(method, path) for path, item in DOCUMENT["paths"].items() for method in item]
HEADERS = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Upload-Length": "4"}
SECRET = "adas-own-film"
# Not ids: what they name is part of something that has one.
PLAIN = {"name", "key", "token", "queue", "schedule", "owner"}


@dataclass(frozen=True)
class Things:
    """Ids by the names that the interface gives them."""

    ids: Mapping[str, str]
    plain: Mapping[str, str]


@pytest.fixture
def hers(any_gateway: Gateway) -> Iterator[Things]:
    """One of everything, Ada's."""
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada, filename=f"{SECRET}.mp4", collection=SECRET, metadata={SECRET: SECRET})
        complete(any_gateway.resources, {"360p.mp4": b"film", "hls/master.m3u8": b"#EXTM3U"})
        hook = ada.post("/api/v1/webhooks", json={"url": f"https://example.org/{SECRET}"}).json()
        test = ada.post(f"/api/v1/webhooks/{hook['id']}/test").json()
        keys = any_gateway.admin.get("/api/v1/keys").json()["keys"]
        files = ada.get(f"/api/v1/jobs/{job_id}/outputs").json()["files"]
        silence = {"matchers": {"level": "warning"}, "reason": SECRET, "expires_at": "2099-01-01T00:00:00Z"}
        ids = {
            # The operator's, whom nobody else may ask for them.
            "alert_id": str(uuid4()),
            "worker_id": str(uuid4()),
            "user_id": str(uuid4()),
            "run_id": str(uuid4()),
            "silence_id": _made(any_gateway.admin.post("/api/v1/monitoring/silences", json=silence)),
            "job_id": job_id,
            "upload_id": upload(ada, filename=f"{SECRET}.mp4"),
            "webhook_id": hook["id"],
            "delivery_id": test["id"],
            "key_id": next(key["id"] for key in keys if key["owner"] == "ada"),
        }
        before = _state(ada, ids)
        key = "jobs/" + httpx.URL(files[0]["url"]).path.partition("/jobs/")[2]
        yield Things(
            ids, {"name": "360p.mp4", "key": key, "queue": "transcode", "schedule": "old_jobs", "owner": "ada"}
        )
        assert _state(ada, ids) == before, "somebody else changed what is Ada's"


def _made(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def _state(ada: httpx.Client, ids: Mapping[str, str]) -> list[Any]:
    """What another owner could have changed."""
    hook = f"/api/v1/webhooks/{ids['webhook_id']}"
    paths = [f"/api/v1/jobs/{ids['job_id']}", f"/api/v1/uploads/{ids['upload_id']}", hook, f"{hook}/deliveries"]
    seen = [ada.get(path).json() for path in paths]
    for job in seen[:1]:
        del job["outputs"]  # links are signed anew each time
    return seen


def test_another_owners_ids_are_answered_like_ids_that_never_were(any_gateway: Gateway, hers: Things) -> None:
    asked = 0
    with any_gateway.owner("bob") as bob:
        token = _own_token(any_gateway, bob)
        never = {name: str(uuid4()) for name in hers.ids}
        for method, path in OPERATIONS:
            if not _names_ids(method, path):
                continue
            real = _ask(bob, method, path, hers.ids, {**hers.plain, "token": token})
            nothing = {**hers.plain, "key": "jobs/never/360p.mp4", "owner": "nobody", "token": token}
            unreal = _ask(bob, method, path, never, nothing)
            assert real == unreal, f"{method} {path}"
            asked += 1
    assert asked >= 30, "the document has lost its operations"


@pytest.mark.parametrize(("method", "path"), [found for found in OPERATIONS if "{" not in found[1]])
def test_what_names_no_id_shows_nothing_of_another_owner(gateway: Gateway, method: str, path: str) -> None:
    with gateway.owner("ada") as ada, gateway.owner("bob") as bob:
        job_id = submit(ada, filename=f"{SECRET}.mp4", collection=SECRET, metadata={SECRET: SECRET})
        status, text = _read(bob, method, path, json=_body(method, path, {}))
    assert status < 500
    assert SECRET not in text and job_id not in text


def _own_token(gateway: Gateway, bob: httpx.Client) -> str:
    """A token that is good, for a stream of Bob's own."""
    job_id = submit(bob)
    complete(gateway.resources, {"hls/master.m3u8": b"#EXTM3U"})
    url: str = bob.get(f"/api/v1/jobs/{job_id}").json()["outputs"]["hls"]["master_url"]
    return url.split("/")[-2]


def _names_ids(method: str, path: str) -> bool:
    operation = DOCUMENT["paths"][path][method]
    queries = {found["name"] for found in operation["parameters"] if found["in"] == "query"}
    return "{" in path or any(name.endswith("_id") for name in queries) or "_id" in json.dumps(_schema(method, path))


def _schema(method: str, path: str) -> Any:
    content = DOCUMENT["paths"][path][method].get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return _resolved(schema, frozenset())


def _resolved(schema: Any, seen: frozenset[str]) -> Any:
    if isinstance(schema, list):
        return [_resolved(part, seen) for part in schema]
    if not isinstance(schema, dict):
        return schema
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and name not in seen:
        return _resolved(DOCUMENT["components"]["schemas"][name], seen | {name})
    return {part: _resolved(value, seen) for part, value in schema.items()}


def _ask(bob: httpx.Client, method: str, path: str, ids: Mapping[str, str], plain: Mapping[str, str]) -> Any:
    """What Bob is told, without what he has said himself."""
    operation = DOCUMENT["paths"][path][method]
    names = {found["name"] for found in operation["parameters"] if found["in"] == "path"}
    assert names <= ids.keys() | PLAIN, f"teach this test about {names}"
    queries = [found["name"] for found in operation["parameters"] if found["in"] == "query" and found["name"] in ids]
    status, text = _read(
        bob,
        method,
        path.format(**{name: ids.get(name) or plain[name] for name in names}),
        params={name: ids[name] for name in queries},
        json=_body(method, path, ids),
    )
    for name, said in [("key", plain["key"]), *ids.items()]:
        text = text.replace(said, f"<{name}>")
    return status, text.replace(f"/owners/{plain['owner']}", "/owners/<owner>")


def _body(method: str, path: str, ids: Mapping[str, str]) -> Any:
    """The document's own example, with every id that the schema has a place for."""
    content = DOCUMENT["paths"][path][method].get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return None
    body = dict(content["application/json"].get("example") or {})
    if path == "/api/v1/jobs" and ids:
        return {"source": {"upload_id": ids["upload_id"]}}
    if "job_ids" in body and ids:
        body["job_ids"] = [ids["job_id"]]
    for name in ids.keys() & _schema(method, path).get("properties", {}).keys():
        body[name] = ids[name]
    return body


def _read(client: httpx.Client, method: str, path: str, **more: Any) -> tuple[int, str]:
    headers = dict(HEADERS)
    if method in ("patch", "put", "post") and more.get("json") is None:
        more["content"] = b"mine"
        is_tus = "/uploads/tus" in path
        headers["Content-Type"] = "application/offset+octet-stream" if is_tus else "video/mp4"
    with client.stream(method.upper(), path, headers=headers, **more) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer.status_code, ""  # it would not end
        return answer.status_code, answer.read().decode(errors="replace")
