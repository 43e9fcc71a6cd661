"""A real HTTP server on loopback that answers as it was told to, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from threading import Event, Thread
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer. With `cut`, only so many bytes of the body leave before the connection breaks."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    hang: bool = False  # say nothing until the server closes

    @classmethod
    def of(cls, fields: Mapping[str, Any], status: int = 200, **headers: str) -> Reply:
        sent = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        return cls(status, json.dumps(fields).encode(), sent)

    @classmethod
    def problem(cls, status: int, code: str, detail: str = "It is so.", **more: Any) -> Reply:
        body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail, **more}
        return cls(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json"})


Answer = Reply | Callable[[Seen], Reply]


class ScriptedServer:
    """Answers each route with its replies in order, and goes on with the last. A context manager."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._script: dict[tuple[str, str], list[Answer]] = {}
        self._closing = Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def on(self, method: str, path: str, *answers: Answer) -> None:
        self._script[method, path] = list(answers)

    def calls(self, method: str, path: str) -> list[Seen]:
        return [seen for seen in self.seen if (seen.method, seen.path) == (method, path)]

    def read(self, stream: BufferedIOBase, length: int) -> bytes:
        return stream.read(length)

    def answer(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        answers = self._script.get((seen.method, seen.path))
        if not answers:
            return Reply.problem(404, "not_found", f"There is no {seen.path}.")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        reply = answer if isinstance(answer, Reply) else answer(seen)
        if reply.hang:
            self._closing.wait(30)
        return reply

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            where = urlsplit(self.path)
            body = server.read(self.rfile, int(self.headers.get("Content-Length", 0)))
            query = {name: values[0] for name, values in parse_qs(where.query).items()}
            seen = Seen(self.command, unquote(where.path), query, self.headers, body)
            self._send(server.answer(seen))

        def do_GET(self) -> None:
            self._any()

        def do_POST(self) -> None:
            self._any()

        def do_DELETE(self) -> None:
            self._any()

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, text in reply.headers.items():
                self.send_header(name, text)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            self.close_connection = self.close_connection or reply.cut is not None or reply.hang

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def job_view(status: str = "completed", progress: float = 100.0, **more: Any) -> dict[str, Any]:
    """A job as the API tells it."""
    return {
        "job_id": "0192f0c1-0000-7000-8000-000000000001",
        "status": status,
        "priority": 5,
        "already_existed": False,
        "created_at": "2026-01-02T03:04:05Z",
        "started_at": None,
        "updated_at": "2026-01-02T03:04:06Z",
        "completed_at": None,
        "progress": {
            "current_task": "encode",
            "current_stage": "encoding 360p",
            "current_task_progress": progress,
            "overall_progress": progress,
            "eta_seconds": 7,
        },
        "source": {"filename": "clip.mp4", "size_bytes": 2048, "duration_seconds": 20.5, "resolution": "1280x720"},
        "outputs": {
            "renditions": {
                "360p": {"available": True, "reason": None, "width": 640, "height": 360, "size_bytes": 1024}
            },
            "audio": {"available": False, "reason": "no_audio"},
        },
        "processing_time": {"encode": 3.5, "total_seconds": 9.0},
        "spec": {},
        "user_metadata": {"course": "7"},
        "error": None,
        **more,
    }


JOB = f"/api/v1/jobs/{job_view()['job_id']}"


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]
