"""The real gateway on a real server in a thread, and what tests do with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import httpx
from anyio import CapacityLimiter
from starlette.applications import Starlette

from mill_api.app import create_app
from mill_api.bootstrap import prepare
from mill_api.openapi import Endpoint
from mill_api.server import make_server
from mill_common.queue import TRANSCODE, Claim, NewOutput, NewTask, Spent, TaskResult
from mill_common.resources import Resources
from mill_common.storage.keys import type_by_suffix

ADMIN_KEY = "the-operators-own-key"
MEDIA = {
    "duration_s": 12.5,
    "width": 1280,
    "height": 720,
    "codec": "h264",
    "video": {"codec": "h264"},
    "audio": {"codec": "aac"},
}


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    url: str
    resources: Resources
    admin: httpx.Client
    app: Starlette

    def endpoints(self) -> list[Endpoint]:
        """What serves each path."""
        found = (getattr(route, "endpoint", None) for route in self.app.routes)
        return [endpoint for endpoint in found if isinstance(endpoint, Endpoint)]

    def idle_uploads(self) -> bool:
        """Whether no body is on its way to storage."""
        slots: CapacityLimiter = self.app.state.upload_slots
        return slots.borrowed_tokens == 0

    def client(self, key: str | None = None) -> httpx.Client:
        """Somebody with that key, or with none."""
        return httpx.Client(base_url=self.url, headers={"X-API-Key": key} if key else {}, timeout=30)

    def owner(self, name: str, **more: Any) -> httpx.Client:
        """A new owner with a key of their own."""
        made = self.admin.post("/api/v1/keys", json={"name": f"{name}'s", "owner": name, **more})
        assert made.status_code == 201, made.text
        return self.client(made.json()["key"])


@contextmanager
def serving(resources: Resources) -> Iterator[Gateway]:
    """Serve a migrated database until the block ends."""
    prepare(resources)
    app = create_app(resources)
    server = make_server(app, "127.0.0.1", 0)
    started = threading.Event()
    server_startup = server.startup

    async def startup(*arguments: Any, **keywords: Any) -> None:
        await server_startup(*arguments, **keywords)
        started.set()

    server.startup = startup  # type: ignore[method-assign]  # uvicorn has no other signal
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(20)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, headers={"X-API-Key": ADMIN_KEY}, timeout=30) as admin:
            yield Gateway(url, resources, admin, app)
    finally:
        server.should_exit = True
        thread.join()


def upload(client: httpx.Client, content: bytes | None = None, filename: str = "clip.mp4") -> str:
    """Hand in a source, one that was never seen before if not `content`; its id."""
    content = b"moving " + uuid4().bytes[:8] if content is None else content
    headers = {"Content-Type": "video/mp4"}
    sent = client.post("/api/v1/uploads", params={"filename": filename}, content=content, headers=headers)
    assert sent.status_code == 201, sent.text
    upload_id: str = sent.json()["id"]
    return upload_id


def submit(client: httpx.Client, *, filename: str = "clip.mp4", **more: Any) -> str:
    """A new job on a new upload; its id."""
    body = {"source": {"upload_id": upload(client, filename=filename)}, **more}
    sent = client.post("/api/v1/jobs", json=body)
    assert sent.status_code == 201, sent.text
    job_id: str = sent.json()["job_id"]
    return job_id


def claim(resources: Resources, queue: str = TRANSCODE) -> Claim:
    """Take the next task, as a worker does."""
    claimed = resources.queue.claim(queue, "a test's worker")
    assert claimed is not None, "there is no task to claim"
    return claimed


def plan(resources: Resources, *tasks: NewTask, media: Mapping[str, Any] | None = None) -> None:
    """Finish the probe that waits, with the tasks that follow."""
    claimed = claim(resources)
    assert claimed.kind == "probe"
    following = tasks or (NewTask(name="publish", kind="publish"),)
    resources.queue.finish(claimed, TaskResult(media=media or MEDIA, tasks=following), [], Spent())


def complete(
    resources: Resources,
    files: Mapping[str, bytes] | None = None,
    *,
    media: Mapping[str, Any] | None = None,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    transcript: Mapping[str, Any] | None = None,
) -> UUID:
    """Take the next job through to its end with these files as its outputs; those below `hls/` make one tree."""
    plan(resources, media=media)
    claimed = claim(resources)
    outputs = list(_stored(resources, claimed, files or {}, facts or {}))
    resources.queue.finish(claimed, TaskResult(publish=True, transcript=transcript), outputs, Spent())
    return claimed.job.id


def _stored(
    resources: Resources, claimed: Claim, files: Mapping[str, bytes], facts: Mapping[str, Mapping[str, Any]]
) -> Iterator[NewOutput]:
    prefix = f"jobs/{claimed.job.id}/{claimed.task_id}-{claimed.epoch}/"
    for name, content in files.items():
        resources.store.put(prefix + name, BytesIO(content), size=len(content), content_type=type_by_suffix(name))
    tree = {name.removeprefix("hls/"): len(content) for name, content in files.items() if name.startswith("hls/")}
    single = {name: len(content) for name, content in files.items() if not name.startswith("hls/")}
    if tree:
        yield _output(prefix, "hls/", sum(tree.values()), facts, tree)
    for name, size in single.items():
        yield _output(prefix, name, size, facts, {})


def _output(
    prefix: str, name: str, size: int, facts: Mapping[str, Mapping[str, Any]], files: Mapping[str, int]
) -> NewOutput:
    return NewOutput(
        name=name,
        kind="hls" if files else "made",
        object_key=prefix + name,
        size=size,
        sha256="ab" * 32,
        content_type=type_by_suffix(name),
        facts=facts.get(name, {}),
        files=files,
    )
