"""`python -m mill_transcoder` and its like: one command for every worker service."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from mill_common.database import Database
from mill_common.health.services import Tools
from mill_common.observing import observed
from mill_common.resources import open_resources
from mill_common.service import LAST_WORDS_S, Signals, last_words, process
from mill_common.settings import Settings
from mill_common.signs import signs_of
from mill_common.worker.ledger import running_lines
from mill_common.worker.shift import Shift
from mill_common.worker.wiring import MakeRunner
from mill_common.worker.woken import Woken

CHILDREN_S = 15.0  # one that does not heed SIGTERM is killed after ten, and only then is its task handed back


def main(service: str, make: MakeRunner, tools: Tools, arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks. Returns the exit status."""
    options = _parser(service).parse_args(arguments)
    try:
        settings = _settings(service, options)
    except ValidationError as error:
        return _complain(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}", 2)
    if options.release_stale or options.show_running:
        return _look(settings, release=options.release_stale)
    with process(service, settings) as (resources, signals):
        shift = Shift(until_empty=options.once, tasks=options.limit, over=signals.ask)
        worker = Woken(resources.broker, make(resources, shift))
        with observed(service, resources, signs_of(resources, tools=tools), lambda: worker.running):
            _work(worker, signals, settings, resources.database)
    return 0


def _parser(service: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m mill_{service}",
        description=f"Run a {service} until SIGTERM. It then ends short tasks and hands long ones back;"
        " a second SIGTERM hands everything back at once. Settings are MILL_… variables.",
    )
    parser.add_argument("--once", action="store_true", help="work until nothing is due, then end")
    parser.add_argument("--limit", type=_count, metavar="N", help="end after N tasks")
    parser.add_argument("--concurrency", type=_count, metavar="N", help="run up to N tasks at a time")
    parser.add_argument("--poll-interval", type=float, metavar="S", help="look for work every S seconds if not woken")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--show-running", action="store_true", help="print what all workers run, and end")
    instead.add_argument(
        "--release-stale", action="store_true", help="take tasks from workers that fell silent, and end"
    )
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _settings(service: str, options: argparse.Namespace) -> Settings:
    given = {f"{service}_threads": options.concurrency, "poll_s": options.poll_interval}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return Settings(**chosen)


def _look(settings: Settings, *, release: bool) -> int:
    resources = open_resources(settings)
    try:
        if release:
            count = resources.queue.release_stale()
            _say(f"Released {count} stale {'task' if count == 1 else 'tasks'}")
        else:
            with resources.database.read() as session:
                lines = list(running_lines(session))
            _say(f"Running tasks: {len(lines)}", *(f"  {line}" for line in lines))
    except SQLAlchemyError as error:
        return _complain(f"the database does not answer: {type(error).__name__}", 1)
    finally:
        resources.close()
    return 0


def _work(worker: Woken, signals: Signals, settings: Settings, database: Database) -> None:
    worker.start()
    signals.wait()
    worker.let_finish(settings.stop_grace_s, signals.wait)
    with last_words(database, CHILDREN_S + LAST_WORDS_S):
        worker.stop()


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _complain(sentence: str, status: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return status
