"""Commands that other packages add through the entry-point group `mill.commands`.

Each entry point loads a plain function with typer annotations. None is loaded before it is called for, so help
stays quick and a broken one breaks nothing but itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points

import typer
from typer.main import get_command

from .exits import Exit
from .output import complain

GROUP = "mill.commands"
HELP = {
    "up": "Run a whole server on this machine.",
    "migrate": "Bring the database to this version's schema.",
    "doctor": "Check the server and this machine, and say how to mend what is broken.",
}
Command = Callable[..., None]
_AS_IS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def installed() -> list[EntryPoint]:
    """The commands that installed packages add, sorted by name."""
    return sorted(entry_points(group=GROUP), key=lambda point: point.name)


def add_server_commands(app: typer.Typer, points: Iterable[EntryPoint]) -> set[str]:
    """Add a command for each entry point, and an explanation for those of ours that are missing. Their names."""
    by_name = {point.name: point for point in points}
    for name in sorted(by_name.keys() | {"up", "migrate"}):
        point = by_name.get(name)
        run = _loader(point) if point else _explainer(name)
        summary = HELP.get(name) or (f"Added by {_origin(point)}." if point else "")
        app.command(name, help=summary, context_settings=_AS_IS, rich_help_panel="Server", add_help_option=False)(run)
    return set(by_name)


def _loader(point: EntryPoint) -> Command:
    def run(context: typer.Context) -> None:
        try:
            function = point.load()
        except Exception as error:
            complain(f"`mill {point.name}` cannot be loaded from {_origin(point)}: {error}")
            raise typer.Exit(Exit.FAILED) from error
        own = typer.Typer(add_completion=False)
        own.command()(function)
        code = get_command(own).main(
            context.args, prog_name=context.info_name, standalone_mode=False, parent=context.parent
        )
        raise typer.Exit(code if isinstance(code, int) else Exit.OK)

    return run


def _explainer(name: str) -> Command:
    def run() -> None:
        complain(f"`mill {name}` needs the server, which is not installed here: pip install mill-standalone")
        raise typer.Exit(Exit.USAGE)

    return run


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
