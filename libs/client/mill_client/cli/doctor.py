"""`mill doctor` where only the client is installed.

The standalone package brings one that also looks at this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from .exits import Exit
from .options import ApiKey, Json, Url, server_of
from .output import console, json_line, plain

if TYPE_CHECKING:
    from ..doctor import Check

_EXITS = {"server": Exit.UNREACHABLE, "key": Exit.NOT_ALLOWED, "ready": Exit.SERVER_ERROR}
_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def doctor(context: typer.Context, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """Check that the server can be used from here, and say how to mend what cannot."""
    from ..doctor import server_checks  # noqa: PLC0415 - httpx is slow to import, and help needs none

    here = server_of(context).resolved(url, api_key)
    raise typer.Exit(print_checks(server_checks(here.url, here.api_key), as_json=as_json))


def print_checks(checks: Sequence[Check], *, as_json: bool) -> int:
    """Print checks, and give the exit code that the first failed one calls for."""
    for check in checks:
        json_line(check) if as_json else _print(check)
    failed = [check.name for check in checks if check.status == "failed"]
    return int(_EXITS.get(failed[0], Exit.FAILED)) if failed else int(Exit.OK)


def _print(check: Check) -> None:
    out = console()
    out.print(f"{check.status:<8}", style=_STYLES[check.status], end="")
    out.print(f"{plain(check.name):<12}{plain(check.detail)}", markup=False)
    if check.mend and check.status != "ok":
        out.print(f"{'':<20}→ {plain(check.mend)}", markup=False)
