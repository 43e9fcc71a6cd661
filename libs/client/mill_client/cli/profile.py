"""`mill profile`: several servers, one at a time."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from .options import Json
from .output import json_line, say, table
from .profiles import Profile, check_name, load

profile = typer.Typer(no_args_is_help=True, help="Keep several servers and their keys, and choose among them.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="What the profile is called.")]


@profile.command()
def add(
    name: Name,
    *,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="The server.")],
    api_key: Annotated[
        str | None, typer.Option("--api-key", metavar="KEY", help="Asked for on a terminal, else from MILL_API_KEY.")
    ] = None,
) -> None:
    """Keep a server under a name; the first one is used from then on."""
    from .._http import Settings  # noqa: PLC0415 - httpx is slow to import, and help needs none

    key = _key(name) if api_key is None else api_key
    try:
        checked = Settings.checked(url, key, timeout_s=1.0, retries=0)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    known = load()
    known.by_name[check_name(name)] = Profile(checked.url, key.strip())
    known.current = known.current or name
    known.save()
    say(f"profile {name} is {checked.url}" + (", and in use" if known.current == name else ""))


@profile.command()
def use(name: Name) -> None:
    """Use a server from now on."""
    known = load()
    found = known.find(name)
    known.current = name
    known.save()
    say(f"profile {name} is in use: {found.url}")


@profile.command("list")
def list_profiles(*, as_json: Json = False) -> None:
    """List the servers, without their keys."""
    known = load()
    rows = [(name, kept.url, name == known.current, bool(kept.api_key)) for name, kept in sorted(known.by_name.items())]
    if as_json:
        for name, url, used, keyed in rows:
            json_line({"name": name, "url": url, "current": used, "has_key": keyed})
        return
    table(
        ["profile", "server", "key", ""],
        [[name, url, "yes" if keyed else "no", "in use" if used else ""] for name, url, used, keyed in rows],
    )


@profile.command()
def remove(name: Name) -> None:
    """Forget a server and its key."""
    known = load()
    known.find(name)
    del known.by_name[name]
    if known.current == name:
        known.current = ""
    known.save()
    say(f"profile {name} is forgotten")


def _key(name: str) -> str:
    if typer.get_text_stream("stdin").isatty():
        return str(typer.prompt(f"API key for {name}", default="", hide_input=True, show_default=False, err=True))
    return os.environ.get("MILL_API_KEY", "")
