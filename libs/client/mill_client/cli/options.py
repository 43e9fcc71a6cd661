"""Options that several commands share, and the client that they describe."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from .._urls import DEFAULT_URL
from .profiles import Profile, load

if TYPE_CHECKING:
    from .._sync.client import Client

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help=f"The server; by default MILL_URL, the profile, or {DEFAULT_URL}."),
]
ApiKey = Annotated[
    str | None, typer.Option("--api-key", metavar="KEY", help="Your API key; by default MILL_API_KEY, or the profile.")
]
ProfileName = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="Which server of mill profile; MILL_PROFILE by default.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one value a line.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of a job.")]
JobIds = Annotated[list[str], typer.Argument(metavar="JOB...", help="The ids of jobs.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", min=0, metavar="SECONDS", help="Stop waiting after so long; the job goes on."),
]


@dataclass(frozen=True)
class Server:
    """Where to and as whom, as given before the command's name."""

    url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    profile: str | None = None

    def resolved(self, url: str | None = None, api_key: str | None = None) -> Server:
        """With the command's own options first, then these, then the environment, then the profile.

        A profile's key is sent to that profile's server and to no other.
        """
        named = self.profile or os.environ.get("MILL_PROFILE")
        given_url = url or self.url or (None if self.profile else os.environ.get("MILL_URL"))
        key = self.api_key if api_key is None else api_key
        if key is None and not self.profile:
            key = os.environ.get("MILL_API_KEY")
        if given_url and key is not None and not named:
            return Server(given_url, key)  # no need to read a file
        kept = _profile(named)
        where = given_url or (kept.url if kept else DEFAULT_URL)
        if key is None and kept and where.rstrip("/") == kept.url:
            key = kept.api_key
        return Server(where, key or "", named)


def remember(context: typer.Context, url: Url = None, api_key: ApiKey = None, profile: ProfileName = None) -> None:
    """Mediamill: a video in; renditions, a stream, audio, thumbnails and a transcript out."""
    context.obj = Server(url, api_key, profile)


def connect(context: typer.Context, url: str | None, api_key: str | None) -> Client:
    """A client from the command's own options, else those before its name, else the environment, else the profile."""
    from .._sync.client import Client  # noqa: PLC0415 - httpx is slow to import, and help needs none

    here = server_of(context).resolved(url, api_key)
    try:
        return Client(here.url, here.api_key)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def server_of(context: typer.Context) -> Server:
    """What was given before the command's name."""
    return context.obj if isinstance(context.obj, Server) else Server()


def _profile(name: str | None) -> Profile | None:
    known = load()
    if name:
        return known.find(name)
    return known.find(known.current) if known.current else None
