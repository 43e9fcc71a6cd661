"""Streams for players, under a signed token in the path: relative playlist entries go on working."""

from __future__ import annotations

import time
from uuid import UUID

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mill_api.auth import caller
from mill_api.fields import Time, from_unix
from mill_api.links import public
from mill_api.openapi import Reply, operation
from mill_api.outputs.endpoints import OutputNotFound
from mill_api.outputs.published import find_file, published_outputs
from mill_api.outputs.ranges import PARTIAL, PreconditionFailed, RangeNotSatisfiable, Served, serve
from mill_api.outputs.tokens import check_token, make_token
from mill_api.owners import owned_job
from mill_api.resources import resources, signer
from mill_common.errors import StorageUnavailable
from mill_common.queue import JobNotFound
from mill_common.signing import LinkExpired, SignatureInvalid

TREE = "hls/"
COOKIE = "mill_stream"
IN_COOKIE = "cookie"


class StreamCookie(BaseModel):
    """Where a stream begins for whoever sends its cookie."""

    master_url: str
    expires_at: Time


@operation(tag="outputs", status=201, scope="jobs:read", returns=StreamCookie, raises=[JobNotFound, OutputNotFound])
def create_stream_cookie(request: Request, job_id: UUID) -> Reply[StreamCookie]:
    """Set a cookie that plays a job's stream, for players that must not see a token.

    For a page on the same site, or on one of `MILL_PLAYER_ORIGINS`; your server hands `Set-Cookie` on to its client.
    """
    wired = resources(request)
    with wired.database.read() as session:
        job = owned_job(session, job_id, caller(request).owner_id)
        if find_file(published_outputs(session, job_id), TREE + "master.m3u8") is None:
            raise OutputNotFound
    lasts_s = wired.settings.link_expires_s + int((job.media or {}).get("duration_s") or 0)
    token = make_token(signer(request), job_id, lasts_s)
    base = f"/stream/{job_id}/"
    site = "SameSite=Lax" if wired.settings.player_origins == "*" else "SameSite=None; Secure; Partitioned"
    cookie = f"{COOKIE}={token}; Path={base}; Max-Age={lasts_s}; HttpOnly; {site}"
    view = StreamCookie(
        master_url=public(wired.settings, f"{base}{IN_COOKIE}/master.m3u8"),
        expires_at=from_unix(int(token.partition(".")[0])),
    )
    return Reply(view, headers={"Set-Cookie": cookie})


@operation(
    tag="outputs",
    scope=None,
    produces="*/*",
    also=PARTIAL,
    raises=[
        SignatureInvalid,
        LinkExpired,
        OutputNotFound,
        PreconditionFailed,
        RangeNotSatisfiable,
        StorageUnavailable,
    ],
)
def stream(request: Request, job_id: UUID, token: str, name: str) -> Response:
    """Play a job's stream.

    The token comes with the job's `hls.master_url` and expires. In its place `cookie` stands for the one that
    `…/stream-cookie` has set.
    """
    if token == IN_COOKIE:
        token = request.cookies.get(COOKIE, "")
    expires_at = check_token(signer(request), job_id, token)
    wired = resources(request)
    with wired.database.read() as session:
        file = find_file(published_outputs(session, job_id), TREE + name)
    if file is None:
        raise OutputNotFound
    served = Served(
        key=file.object_key,
        size=file.size,
        content_type=file.content_type,
        etag=file.etag,
        modified_at=file.published_at,
        cache_control=f"private, max-age={max(0, expires_at - int(time.time()))}",
    )
    return serve(request, wired.store, served)
