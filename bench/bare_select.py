"""The least that a gateway can do: one prepared SELECT in a thread, on the pool that the real one has.

`python -m bench.bare_select URL PORT`
"""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

import uvicorn
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mill_common.database import Database

PREPARE = "PREPARE one_job (uuid) AS SELECT id::text, status, progress FROM job WHERE id = $1"


def app(database: Database) -> Starlette:
    """Answers `/{job_id}` with three columns of the job."""
    event.listen(database.engine, "connect", _prepare)

    def look(request: Request) -> JSONResponse:
        with closing(database.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("EXECUTE one_job (%s)", (request.path_params["job_id"],))
            found = cursor.fetchone()
        if found is None:
            return JSONResponse({}, status_code=404)
        return JSONResponse(dict(zip(("job_id", "status", "progress"), found, strict=True)))

    return Starlette(routes=[Route("/{job_id}", look)])


def _prepare(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(PREPARE)
    connection.commit()


if __name__ == "__main__":
    uvicorn.run(
        app(Database(sys.argv[1])), port=int(sys.argv[2]), log_config=None, access_log=False, server_header=False
    )
