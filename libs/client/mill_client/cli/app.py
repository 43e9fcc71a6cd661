"""The `mill` command put together."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint

import typer

from . import jobs
from .doctor import doctor
from .download import download
from .exits import EPILOG
from .keys import keys
from .options import remember
from .server import add_server_commands
from .submit import submit

_JOBS = "Jobs"
_SERVER = "Server"


def build(points: Iterable[EntryPoint]) -> typer.Typer:
    """The application, with the commands that `points` add."""
    app = typer.Typer(
        name="mill", no_args_is_help=True, pretty_exceptions_enable=False, epilog=EPILOG, rich_markup_mode="rich"
    )
    app.callback()(remember)
    app.command(rich_help_panel=_JOBS)(submit)
    app.command(rich_help_panel=_JOBS)(jobs.get)
    app.command("list", rich_help_panel=_JOBS)(jobs.list_jobs)
    app.command(rich_help_panel=_JOBS)(download)
    app.command(rich_help_panel=_JOBS)(jobs.cancel)
    app.command(rich_help_panel=_JOBS)(jobs.retry)
    app.command(rich_help_panel=_JOBS)(jobs.delete)
    app.add_typer(keys, name="keys", rich_help_panel=_SERVER)
    if "doctor" not in add_server_commands(app, points):
        app.command(rich_help_panel=_SERVER)(doctor)
    return app
