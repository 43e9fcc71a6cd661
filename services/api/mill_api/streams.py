"""Streams for players, under a signed token in the path: relative playlist entries go on working."""

from __future__ import annotations

import time
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from mill_api.openapi import operation
from mill_api.outputs import PARTIAL, OutputNotFound, RangeNotSatisfiable
from mill_api.published import find_file, published_outputs
from mill_api.ranges import Served, serve
from mill_api.resources import resources, signer
from mill_api.tokens import check_token
from mill_common.errors import StorageUnavailable
from mill_common.signing import LinkExpired, SignatureInvalid

TREE = "hls/"


@operation(
    tag="outputs",
    scope=None,
    produces="*/*",
    also=PARTIAL,
    raises=[SignatureInvalid, LinkExpired, OutputNotFound, RangeNotSatisfiable, StorageUnavailable],
)
def stream(request: Request, job_id: UUID, token: str, name: str) -> Response:
    """Play a job's stream. The token comes with the job's `hls.master_url` and expires."""
    expires_at = check_token(signer(request), job_id, token)
    wired = resources(request)
    with wired.database.read() as session:
        file = find_file(published_outputs(session, [job_id]), TREE + name)
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
