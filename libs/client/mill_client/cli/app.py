"""The `mill` command put together."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint

import typer

from . import account, changes, history, jobs, runs
from .doctor import doctor
from .download import download
from .exits import EPILOG
from .keys import keys
from .monitor import monitor
from .options import remember
from .profile import profile
from .server import Command, add_server_commands
from .submit import submit
from .users import users
from .watch import watch
from .webhooks import webhooks

_JOBS = "Jobs"
_ACCOUNT = "Your account"
_SERVER = "Server"
_OPERATIONS = "Operations"
_ON_JOBS: tuple[tuple[str, Command], ...] = (
    ("submit", submit),
    ("list", jobs.list_jobs),
    ("get", jobs.get),
    ("watch", watch),
    ("download", download),
    ("cancel", changes.cancel),
    ("retry", changes.retry),
    ("delete", changes.delete),
    ("priority", changes.priority),
    ("edit", changes.edit),
    ("logs", history.logs),
    ("attempts", history.attempts),
    ("export", jobs.export),
)
_ON_THE_ACCOUNT: tuple[tuple[str, Command], ...] = (
    ("stats", account.stats),
    ("usage", account.usage),
    ("collections", account.collections),
)
_ON_THE_SYSTEM: tuple[tuple[str, Command], ...] = (
    ("monitor", monitor),
    ("active", runs.active),
    ("history", runs.history),
    ("summary", runs.summary),
    ("status", runs.status),
)


def build(points: Iterable[EntryPoint]) -> typer.Typer:
    """The application, with the commands that `points` add."""
    app = typer.Typer(
        name="mill", no_args_is_help=True, pretty_exceptions_enable=False, epilog=EPILOG, rich_markup_mode="rich"
    )
    app.callback()(remember)
    for name, command in _ON_JOBS:
        app.command(name, rich_help_panel=_JOBS)(command)
    for name, command in _ON_THE_ACCOUNT:
        app.command(name, rich_help_panel=_ACCOUNT)(command)
    app.add_typer(webhooks, name="webhooks", rich_help_panel=_ACCOUNT)
    for name, command in _ON_THE_SYSTEM:
        app.command(name, rich_help_panel=_OPERATIONS)(command)
    app.add_typer(runs.runs, name="runs", rich_help_panel=_OPERATIONS)
    app.add_typer(profile, name="profile", rich_help_panel=_SERVER)
    app.add_typer(keys, name="keys", rich_help_panel=_SERVER)
    app.add_typer(users, name="users", rich_help_panel=_SERVER)
    if "doctor" not in add_server_commands(app, points):
        app.command(rich_help_panel=_SERVER)(doctor)
    return app
