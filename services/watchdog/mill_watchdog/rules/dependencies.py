"""What the mill needs and does not have. Each explains a good many other alerts."""

from __future__ import annotations

from collections.abc import Iterator

from mill_common.alerts import Finding, Inhibition, Rule, View
from mill_common.health.report import Status
from mill_common.models import AlertLevel

_WORK = frozenset({"processing_failure", "slow_processing", "error_rate", "stuck_task", "dead_letters"})
_WAITING = frozenset({"queue_depth", "queue_age", "no_worker"})


class StorageUnreachable(Rule):
    """Object storage takes no object, or gives back another."""

    type = "storage_unreachable"
    inhibits = (Inhibition(types=_WORK | _WAITING),)

    def find(self, view: View) -> Iterator[Finding]:
        """One, if a check failed just now."""
        if (fault := view.surroundings.storage) is not None:
            yield Finding(level=AlertLevel.CRITICAL, title="Object storage unreachable", message=fault)


class BrokerUnreachable(Rule):
    """Redis does not answer or takes no writes. Work goes on by polling, but later than it could."""

    type = "broker_unreachable"
    inhibits = (Inhibition(types=frozenset({"queue_age"})),)

    def find(self, view: View) -> Iterator[Finding]:
        """One, if a check failed just now."""
        if (fault := view.surroundings.broker) is not None:
            yield Finding(level=AlertLevel.ERROR, title="Broker unreachable", message=fault)


class ProgramBroken(Rule):
    """A worker's ffmpeg, packager or model is missing or does not run, as the worker itself says."""

    type = "program_broken"
    inhibits = (Inhibition(types=_WORK | _WAITING),)

    def find(self, view: View) -> Iterator[Finding]:
        """One for each host and program."""
        for worker in view.workers:
            for program, found in (worker.health or {}).items():
                if program == "scratch" or found["status"] != Status.CRITICAL:
                    continue
                yield Finding(
                    level=AlertLevel.CRITICAL,
                    title=f"{program} missing or broken",
                    message=f"On {worker.host}, where {worker.name} works: {found['message']}",
                    labels={"host": worker.host, "program": program},
                    details={"worker": worker.name},
                )


class LogFiles(Rule):
    """A log file cannot be written, or grows and is not turned over."""

    type = "log_files"

    def find(self, view: View) -> Iterator[Finding]:
        """One for all of them."""
        if faults := view.surroundings.logs:
            yield Finding(
                level=AlertLevel.WARNING,
                title="Log files",
                message="; ".join(faults),
                labels={"host": view.surroundings.host},
                details={"faults": list(faults)},
            )
