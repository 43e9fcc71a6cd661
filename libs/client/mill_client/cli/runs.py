"""`mill active`, `history`, `summary`, `status` and `mill runs watch`: what is done on a schedule."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..models import Run, RunStatus, RunSummary, ScheduleSummary
from .exits import Exit
from .options import ApiKey, Json, Url, connect
from .output import console, duration, json_line, json_or_table, moment, out_line, plain, table

if TYPE_CHECKING:
    from .._sync.client import Client

COLUMNS = ["run", "name", "status", "items", "percent", "elapsed", "left", "a second", "error"]
runs = typer.Typer(no_args_is_help=True, help="Runs of schedules: the same commands, and `watch`.")
Interval = Annotated[
    float, typer.Option("--interval", min=0.2, max=3600, metavar="SECONDS", help="How often to look again.")
]
Check = Annotated[bool, typer.Option("--check", help="End with 1 if one of them has failed.")]


@runs.command()
def active(
    context: typer.Context,
    *,
    watching: Annotated[bool, typer.Option("--watch", help="Go on until it is interrupted.")] = False,
    interval: Interval = 2.0,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """List the runs of schedules at work (needs a key with the scope viewer)."""
    with connect(context, url, api_key) as client:
        if watching:
            _watch(client, interval, as_json=as_json)
        json_or_table(client.monitoring.active_runs(), COLUMNS, _cells, as_json=as_json)


@runs.command("watch")
def watch_runs(
    context: typer.Context,
    *,
    interval: Interval = 2.0,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Watch the runs at work until you interrupt it. In a pipe each change is a line."""
    with connect(context, url, api_key) as client:
        _watch(client, interval, as_json=as_json)


@runs.command()
def history(
    context: typer.Context,
    *,
    job: Annotated[str | None, typer.Option("--job", metavar="NAME", help="Only this schedule's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    check: Check = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """List the latest runs of schedules."""
    with connect(context, url, api_key) as client:
        found = client.monitoring.run_history(job_name=job, limit=limit)
    json_or_table(found, ["started", *COLUMNS], _dated, as_json=as_json)
    if check:
        _fail_if([run.status for run in found])


@runs.command()
def summary(
    context: typer.Context, *, check: Check = False, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Show each schedule's latest run, and when it runs next."""
    with connect(context, url, api_key) as client:
        found = client.monitoring.run_summary()
    json_line(found) if as_json else _show_summary(found)
    if check:
        _fail_if([schedule.status for schedule in found.summary.values()])


@runs.command()
def status(
    context: typer.Context,
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", help="The id of a run, from mill history.")] = None,
    *,
    by_option: Annotated[str | None, typer.Option("--id", metavar="RUN", help="The same.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show one run in full; ends with 1 if it has failed."""
    wanted = run_id or by_option
    if wanted is None or (run_id and by_option):
        raise typer.BadParameter("name one run: mill status RUN")
    with connect(context, url, api_key) as client:
        run = client.monitoring.run(wanted)
    json_line(run) if as_json else _show(run)
    _fail_if([run.status])


def _fail_if(statuses: Sequence[str]) -> None:
    if RunStatus.FAILED in statuses:
        raise typer.Exit(Exit.FAILED)


def _watch(client: Client, interval_s: float, *, as_json: bool) -> NoReturn:
    out = console()
    if as_json or not out.is_terminal:
        _tell_changes(client, interval_s, as_json=as_json)
    with Live(console=out, auto_refresh=False, transient=True) as live:
        while True:
            live.update(_drawn(client.monitoring.active_runs()), refresh=True)
            time.sleep(interval_s)


def _tell_changes(client: Client, interval_s: float, *, as_json: bool) -> NoReturn:
    """A line for each run that moved, and one for how it ended."""
    known: dict[str, Run] = {}
    while True:
        going = {run.id: run for run in client.monitoring.active_runs()}
        ended = [client.monitoring.run(run_id) for run_id in known.keys() - going.keys()]
        for run in [*going.values(), *ended]:
            before = known.get(run.id)
            if before is None or (before.status, before.items_processed) != (run.status, run.items_processed):
                json_line(run) if as_json else out_line("\t".join(plain(cell) for cell in _cells(run)))
        known = going
        time.sleep(interval_s)


def _drawn(found: Sequence[Run]) -> Table | Text:
    if not found:
        return Text("no run is at work; Ctrl-C ends this", "dim")
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for column in COLUMNS:
        drawn.add_column(column, overflow="fold")
    for run in found:
        drawn.add_row(*(Text(plain(cell)) for cell in _cells(run)))
    return drawn


def _show(run: Run) -> None:
    facts = [
        ("name", run.job_name),
        ("status", run.status.value),
        ("items", _items(run)),
        ("succeeded", str(run.items_succeeded)),
        ("failed", str(run.items_failed)),
        ("percent", _percent(run)),
        ("worker", run.worker or "-"),
        ("started", moment(run.started_at)),
        ("finished", moment(run.finished_at)),
        ("elapsed", duration(run.elapsed_seconds)),
        ("left", duration(run.estimated_remaining_seconds)),
        ("a second", _rate(run)),
        *((name, str(value)) for name, value in run.metadata.items()),
        ("error", run.error or "-"),
    ]
    table(["run", run.id], [[name, text] for name, text in facts])


def _show_summary(found: RunSummary) -> None:
    columns = ["name", "status", "last run", "took", "progress", "next run", "error"]
    table(columns, [_scheduled(name, schedule) for name, schedule in sorted(found.summary.items())])


def _scheduled(name: str, found: ScheduleSummary) -> list[str]:
    state = found.status.replace("_", " ")
    took = duration(found.duration_seconds)
    return [
        name,
        state,
        moment(found.last_run),
        took,
        found.progress or "-",
        moment(found.next_scheduled),
        found.error or "",
    ]


def _dated(run: Run) -> Sequence[object]:
    return [moment(run.started_at), *_cells(run)]


def _cells(run: Run) -> Sequence[str]:
    times = [duration(run.elapsed_seconds), duration(run.estimated_remaining_seconds)]
    return [run.id, run.job_name, run.status.value, _items(run), _percent(run), *times, _rate(run), run.error or ""]


def _items(run: Run) -> str:
    return str(run.items_processed) if run.total_items is None else f"{run.items_processed}/{run.total_items}"


def _percent(run: Run) -> str:
    return "-" if run.progress_percent is None else f"{run.progress_percent:.1f} %"


def _rate(run: Run) -> str:
    return "-" if run.items_per_second is None else f"{run.items_per_second:.2f}"
