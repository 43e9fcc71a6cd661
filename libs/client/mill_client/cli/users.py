"""`mill users`: people who sign in."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ..models import User
from .exits import Exit
from .options import ApiKey, Json, Url, connect
from .output import complain, json_line, json_or_table, moment, say

if TYPE_CHECKING:
    from .._sync.client import Client

users = typer.Typer(no_args_is_help=True, help="Say who may sign in, and as what (needs a key with the scope admin).")
Name = Annotated[str, typer.Argument(metavar="NAME", help="What the person signs in as.")]


class Role(StrEnum):
    """What a person may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@users.command("list")
def list_users(context: typer.Context, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """List everybody."""
    with connect(context, url, api_key) as client:
        found = client.users.all()
    json_or_table(found, ["id", "name", "role", "owner", "last login", "disabled"], _row, as_json=as_json)


@users.command()
def add(
    context: typer.Context,
    name: Name,
    *,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.VIEWER,
    owner: Annotated[str | None, typer.Option(help="Whose jobs are theirs; their own by default.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Let a person in. The password is asked for, or read from a pipe."""
    password = _password()
    with connect(context, url, api_key) as client:
        user = client.users.create(name, password, role=role, owner=owner)
    json_line(user) if as_json else say(f"{user.name} may sign in, as {user.role}")


@users.command()
def change(
    context: typer.Context,
    name: Name,
    *,
    role: Annotated[Role | None, typer.Option(help="What they may do from now on.")] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password, or read it.")] = False,
    disabled: Annotated[bool | None, typer.Option("--disable/--enable", help="Shut them out, or let them in.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Change a person's role or password, or shut them out; their sessions end with the last two."""
    new = _password() if password else None
    with connect(context, url, api_key) as client:
        user = client.users.change(_named(client, name).id, role=role, password=new, disabled=disabled)
    json_line(user) if as_json else say(f"{user.name} is changed")


@users.command()
def remove(
    context: typer.Context, name: Name, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Remove a person. Their jobs, and what the audit log says of them, stay."""
    with connect(context, url, api_key) as client:
        user = _named(client, name)
        client.users.delete(user.id)
    json_line({"id": user.id, "name": name, "removed": True}) if as_json else say(f"{name} is removed")


def _named(client: Client, name: str) -> User:
    for user in client.users.all():
        if user.name == name:
            return user
    complain(f"there is no user {name}")
    raise typer.Exit(Exit.NOT_FOUND)


def _password() -> str:
    """Never an argument: other people on this machine see those."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _row(user: User) -> list[object]:
    return [user.id, user.name, user.role, user.owner, moment(user.last_login_at), moment(user.disabled_at)]
