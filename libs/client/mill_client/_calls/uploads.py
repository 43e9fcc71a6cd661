"""Calls about uploads: plain, resumable by tus 1.0.0, and direct to storage."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from .._retries import Repeat
from ..models import DirectUpload, Upload
from .call import Call, nothing, path, reading

TUS = {"Tus-Resumable": "1.0.0"}
# The server may still move the bytes to where they stay.
PATIENCE_S = 600.0


def send(filename: str, size: int, content: Callable[[], Iterator[bytes]]) -> Call[Upload]:
    """`size` is bytes, and what `content` yields."""
    return Call(
        "POST",
        path("uploads"),
        reading(Upload),
        Repeat.UNTAKEN,
        params={"filename": filename},
        headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        content=content,
        patience_s=PATIENCE_S,
    )


def get(upload_id: str) -> Call[Upload]:
    return Call("GET", path("uploads", upload_id), reading(Upload))


def delete(upload_id: str) -> Call[None]:
    return Call("DELETE", path("uploads", upload_id), nothing, Repeat.UNTAKEN)


def begin_tus(filename: str, size: int) -> Call[str]:
    """The answer is the upload's id: what is sent next goes to our own server, whatever host `Location` names."""
    named = base64.b64encode(filename.encode()).decode()
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": f"filename {named}"}
    return Call("POST", path("uploads", "tus"), _located, Repeat.UNTAKEN, headers=headers)


def tus_path(upload_id: str) -> str:
    """Where a resumable upload is."""
    return path("uploads", "tus", upload_id)


def look_tus(upload_id: str) -> Call[tuple[int, int]]:
    """The answer is the bytes that the server has, and those that it expects in all."""
    return Call("HEAD", tus_path(upload_id), _offset_and_length, headers=TUS)


def go_on_tus(upload_id: str, offset: int, chunk: bytes, content: Callable[[], Iterator[bytes]]) -> Call[int]:
    """The answer is the offset reached. The server refuses the chunk if it is not what its checksum says."""
    digest = base64.b64encode(hashlib.sha256(chunk).digest()).decode()
    headers = {
        **TUS,
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(len(chunk)),
        "Upload-Offset": str(offset),
        "Upload-Checksum": f"sha256 {digest}",
    }
    return Call(
        "PATCH",
        tus_path(upload_id),
        lambda response: int(response.headers["Upload-Offset"]),
        Repeat.NEVER,  # whoever sends it asks first how far the upload is
        headers=headers,
        content=content,
        patience_s=PATIENCE_S,
    )


def begin_direct(body: Mapping[str, Any]) -> Call[DirectUpload]:
    return Call("POST", path("uploads", "direct"), reading(DirectUpload), Repeat.UNTAKEN, json=dict(body))


def complete_direct(upload_id: str, parts: list[dict[str, Any]] | None) -> Call[Upload]:
    body = {"parts": parts} if parts else {}
    return Call("POST", path("uploads", upload_id, "complete"), reading(Upload), json=body, patience_s=PATIENCE_S)


def _located(response: httpx.Response) -> str:
    where = response.headers.get("Location", "").rstrip("/").rpartition("/")[2]
    if not where:
        raise ValueError("the answer names no upload")
    return str(where)


def _offset_and_length(response: httpx.Response) -> tuple[int, int]:
    return int(response.headers["Upload-Offset"]), int(response.headers["Upload-Length"])
