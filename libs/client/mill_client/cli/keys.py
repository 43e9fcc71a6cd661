"""`mill keys`: who may use the server."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from .options import ApiKey, Json, Url, connect
from .output import json_line, moment, say, table

keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys (needs a key with the scope admin).")


@keys.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    *,
    owner: Annotated[str | None, typer.Option(help="Whose jobs it sees.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="`jobs` or `admin`; may be repeated.")] = None,
    expires: Annotated[datetime | None, typer.Option(help="When it ends, in local time; never by default.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Make a key and print it. It cannot be shown again."""
    with connect(context, url, api_key) as client:
        key = client.keys.create(name, owner=owner, scopes=scope, expires_at=expires)
    if as_json:
        json_line(key)
        return
    say(f"key {key.id} for {key.owner or name}; keep it now, it is not shown again:")
    typer.echo(key.key)


@keys.command("list")
def list_keys(context: typer.Context, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """List the keys, without their secrets."""
    with connect(context, url, api_key) as client:
        found = client.keys.all()
    for key in found if as_json else []:
        json_line(key)
    if not as_json:
        rows = [
            [
                key.id,
                key.name,
                key.owner or "-",
                ",".join(key.scopes),
                key.prefix or "-",
                moment(key.last_used_at),
                "revoked" if key.revoked_at else moment(key.expires_at),
            ]
            for key in found
        ]
        table(["id", "name", "owner", "scopes", "prefix", "last used", "expires"], rows)


@keys.command()
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a key, from mill keys list.")],
    *,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Make a key worthless at once."""
    with connect(context, url, api_key) as client:
        client.keys.revoke(key_id)
    json_line({"id": key_id, "revoked": True}) if as_json else say(f"key {key_id} is revoked")
