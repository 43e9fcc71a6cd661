"""`mill monitor` itself."""

from __future__ import annotations

import io
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

from ..exits import Exit
from ..options import ApiKey, Json, Url, connect
from ..output import console, json_line, out_line, plain
from .background import Background
from .desk import HELP, Desk, rows_of
from .keys import Keys
from .marks import Marks
from .plain_lines import told
from .screen import Screen
from .snapshot import Snapshot, look

if TYPE_CHECKING:
    from ..._sync.client import Client

REDRAWN_S = 0.5


def monitor(
    context: typer.Context,
    *,
    interval: Annotated[
        float, typer.Option("--interval", min=0.5, max=3600, metavar="SECONDS", help="How often to look again.")
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, and print lines.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Look once; end with 1 if an alert fires.")] = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show queues, workers, running and failed tasks and alerts on a full screen.

    Keys: q quits, the arrows choose, c cancels, r retries, p pauses and resumes. In a pipe it prints lines instead.

    Looking needs a key with the scope viewer, changing operator.
    """
    with connect(context, url, api_key) as client:
        first = look(client)
        if once or check:
            _tell(first, as_json=as_json)
        elif as_json or not console().is_terminal:
            _tell_on(client, first, interval, as_json=as_json)
        else:
            _show(client, first, interval)
    if check and first.alerts:
        raise typer.Exit(Exit.FAILED)


def _tell(snapshot: Snapshot, *, as_json: bool) -> None:
    if as_json:
        json_line(snapshot.as_json())
        return
    for line in told(snapshot):
        out_line(line)


def _tell_on(client: Client, first: Snapshot, interval_s: float, *, as_json: bool) -> None:
    """Until it is interrupted."""
    _tell(first, as_json=as_json)
    while True:
        time.sleep(interval_s)
        _tell(look(client), as_json=as_json)


def _show(client: Client, first: Snapshot, interval_s: float) -> None:
    """Until q is pressed. Leaves the terminal as it was, when it is ended by a signal, too."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a file's name may have letters that the terminal has not
    out, desk = console(), Desk()
    screen = Screen(client.url, Marks.for_encoding(out.encoding))
    background = Background(client, first, interval_s)
    with (
        _ended_by(signal.SIGTERM),
        background,
        Keys() as keys,
        Live(console=out, screen=True, auto_refresh=False) as live,
    ):
        while True:
            latest = background.latest
            chosen = desk.chosen(rows_of(latest))
            live.update(screen.draw(latest, chosen, _foot(desk, background), *out.size), refresh=True)
            for key in keys.read(REDRAWN_S):
                if key == "q" and not desk.question:
                    return
                if act := desk.press(key, rows_of(latest)):
                    background.ask(act)


def _foot(desk: Desk, background: Background) -> Text:
    """What matters most of what there is to say."""
    if desk.question:
        return Text(plain(desk.question), "bold yellow")
    if background.error:
        return Text(plain(background.error), "bold red")
    return Text(plain(desk.hint or background.said or HELP), "dim" if not desk.hint else "yellow")


@contextmanager
def _ended_by(number: signal.Signals) -> Iterator[None]:
    def end(_number: int, _frame: Any) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(number, end)
    try:
        yield
    finally:
        signal.signal(number, before)
