"""`mill keys`: who may use the server."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from ..models import Key
from .options import ApiKey, Json, Url, connect
from .output import json_line, json_or_table, moment, out_line, say

keys = typer.Typer(
    no_args_is_help=True, help="Create, list, rotate and revoke API keys (needs a key with the scope admin)."
)
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The id of a key, from mill keys list.")]


@keys.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    *,
    owner: Annotated[str | None, typer.Option(help="Whose jobs it sees.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="`jobs:read`, `jobs:write`, `jobs`, `viewer`, `operator` or `admin`; may be repeated."),
    ] = None,
    expires: Annotated[datetime | None, typer.Option(help="When it ends, in local time; never by default.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Make a key and print it. It cannot be shown again."""
    with connect(context, url, api_key) as client:
        key = client.keys.create(name, owner=owner, scopes=scope, expires_at=expires)
    _tell(key, as_json=as_json)


@keys.command()
def rotate(
    context: typer.Context,
    key_id: KeyId,
    *,
    overlap: Annotated[
        int | None, typer.Option(min=0, metavar="SECONDS", help="How long the old one still does; a day by default.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Give a key a new secret and print it. It cannot be shown again."""
    with connect(context, url, api_key) as client:
        key = client.keys.rotate(key_id, overlap_seconds=overlap)
    _tell(key, as_json=as_json)


@keys.command("list")
def list_keys(context: typer.Context, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """List the keys, without their secrets."""
    with connect(context, url, api_key) as client:
        found = client.keys.all()
    json_or_table(found, ["id", "name", "owner", "scopes", "prefix", "last used", "expires"], _row, as_json=as_json)


@keys.command()
def revoke(
    context: typer.Context,
    key_id: KeyId,
    *,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Make a key worthless at once."""
    with connect(context, url, api_key) as client:
        client.keys.revoke(key_id)
    json_line({"id": key_id, "revoked": True}) if as_json else say(f"key {key_id} is revoked")


def _tell(key: Key, *, as_json: bool) -> None:
    if as_json:
        json_line(key)
        return
    say(f"key {key.id} for {key.owner or key.name}; keep it now, it is not shown again:")
    out_line(key.key or "")


def _row(key: Key) -> list[object]:
    ends = "revoked" if key.revoked_at else moment(key.expires_at)
    return [key.id, key.name, key.owner, ",".join(key.scopes), key.prefix, moment(key.last_used_at), ends]
