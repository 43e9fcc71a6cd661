"""Options that several commands share, and the client that they describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from .._urls import DEFAULT_URL

if TYPE_CHECKING:
    from .._sync.client import Client

Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help=f"The server; MILL_URL or {DEFAULT_URL} by default.")
]
ApiKey = Annotated[str | None, typer.Option("--api-key", metavar="KEY", help="Your API key; MILL_API_KEY by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one value a line.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of a job.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", min=0, metavar="SECONDS", help="Stop waiting after so long; the job goes on."),
]


@dataclass(frozen=True)
class Server:
    """Where to and as whom, as given before the command's name."""

    url: str | None = None
    api_key: str | None = None


def remember(context: typer.Context, url: Url = None, api_key: ApiKey = None) -> None:
    """Mediamill: a video in; renditions, a stream, audio, thumbnails and a transcript out."""
    context.obj = Server(url, api_key)


def connect(context: typer.Context, url: str | None, api_key: str | None) -> Client:
    """A client from the command's own options, else those before its name, else the environment."""
    from .._sync.client import Client  # noqa: PLC0415 - httpx is slow to import, and help needs none

    before = context.obj if isinstance(context.obj, Server) else Server()
    key = before.api_key if api_key is None else api_key
    try:
        return Client(url or before.url, key)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
