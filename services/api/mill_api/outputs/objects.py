"""The local store's signed URLs: what an S3 server does for its own."""

from __future__ import annotations

from io import BufferedReader

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from mill_api.limits import announced_size, limit_body
from mill_api.openapi import operation
from mill_api.outputs.ranges import PARTIAL, PreconditionFailed, RangeNotSatisfiable, Served, serve
from mill_api.problems import NotFound
from mill_api.resources import resources
from mill_api.uploads.body_stream import BLOCK, BodyStalled, BodyStream
from mill_api.uploads.endpoints import BYTES, media_type
from mill_api.uploads.room import UploadTooLarge
from mill_common.errors import SourceMissing, StorageUnavailable
from mill_common.signing import LinkExpired, SignatureInvalid
from mill_common.storage import FileStore, ObjectStat, PartTarget


class ObjectNotFound(NotFound):
    """There is no such object."""

    code = "object_not_found"


@operation(
    tag="objects",
    scope=None,
    produces="*/*",
    also=PARTIAL,
    raises=[
        SignatureInvalid,
        LinkExpired,
        ObjectNotFound,
        PreconditionFailed,
        RangeNotSatisfiable,
        StorageUnavailable,
    ],
)
def get_object(request: Request, key: str) -> Response:
    """Read an object under a signed URL."""
    store = _file_store(request)
    filename = store.verify_get(key, request.query_params)
    try:
        stored = store.stat(key)
    except (SourceMissing, ValueError):
        raise ObjectNotFound from None
    return serve(request, store, _served(stored, filename))


@operation(
    tag="objects",
    scope=None,
    consumes=["*/*"],
    raises=[SignatureInvalid, LinkExpired, SourceMissing, UploadTooLarge, BodyStalled, StorageUnavailable],
)
async def put_object(request: Request, key: str) -> Response:
    """Write an object, or a part of one, under a signed URL. Answers with its ETag."""
    store = _file_store(request)
    target = store.verify_put(key, request.query_params)
    limit = resources(request).settings.max_source_bytes
    body = limit_body(request, limit, UploadTooLarge)
    stream = BodyStream(body.stream(), limit=limit, error=UploadTooLarge)
    etag = await to_thread.run_sync(_write, store, key, target, stream, request, limiter=request.app.state.upload_slots)
    return Response(status_code=200, headers={"ETag": etag})


def _write(store: FileStore, key: str, target: PartTarget | None, stream: BodyStream, request: Request) -> str:
    size = announced_size(request)
    reader = BufferedReader(stream, BLOCK)
    if target is not None:
        return f'"{store.put_part(target, reader, size=size)}"'
    kind = media_type(request.headers.get("content-type", "")) or BYTES
    return _etag(store.put(key, reader, size=size, content_type=kind))


def _file_store(request: Request) -> FileStore:
    store = resources(request).store
    if not isinstance(store, FileStore):
        raise ObjectNotFound  # S3 serves its own URLs
    return store


def _served(stored: ObjectStat, filename: str | None) -> Served:
    return Served(
        key=stored.key,
        size=stored.size,
        content_type=stored.content_type,
        etag=_etag(stored),
        modified_at=stored.modified_at,
        cache_control="private, max-age=0, must-revalidate",
        filename=filename,
    )


def _etag(stored: ObjectStat) -> str:
    return f'"{stored.size:x}-{int(stored.modified_at.timestamp() * 1e6):x}"'
