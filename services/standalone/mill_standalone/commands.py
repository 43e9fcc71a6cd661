"""The commands that need the server: `mill up`, `mill migrate` and `mill doctor`."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import structlog
import typer

from mill_client.cli.doctor import print_checks
from mill_client.cli.options import ApiKey, Json, Url, server_of
from mill_client.cli.output import complain, say
from mill_client.doctor import server_checks
from mill_common.database import Database
from mill_common.errors import MillError
from mill_common.migrations import latest_revision
from mill_common.migrations import migrate as migrate_database
from mill_common.settings import Settings
from mill_standalone.checks import local_checks
from mill_standalone.server import run

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the database, the objects and scratch files.")]


def up(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    data: Data = None,
) -> None:
    """Run a whole server on this machine until it is interrupted."""
    try:
        run(_settings(data), host=host, port=port)
    except MillError as error:
        complain(error.message)
        raise typer.Exit(1) from None


def migrate(data: Data = None) -> None:
    """Bring the database to this version's schema."""
    database = Database(_settings(data).database_url)
    try:
        migrate_database(database)
    finally:
        database.close()
    say(f"The database is at revision {latest_revision()}.")


def doctor(
    context: typer.Context, *, data: Data = None, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Check this machine and the server, and say how to mend what is broken."""
    # What is found is printed below; in a log it would stand twice.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    here = server_of(context).resolved(url, api_key)
    checks = [*local_checks(_settings(data)), *server_checks(here.url, here.api_key)]
    raise typer.Exit(print_checks(checks, as_json=as_json))


def _settings(data: Path | None) -> Settings:
    if data is not None:
        os.environ["MILL_DATA_DIR"] = str(data)
    return Settings()
