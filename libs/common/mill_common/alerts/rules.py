"""What a rule is. A custom one is a subclass in a module that `MILL_ALERT_RULES` names:

class NightlyVolume(Rule):
    type = "nightly_volume"

    def find(self, view: View) -> Iterator[Finding]:
        count = view.session.scalar(...)
        if count < 100:
            yield Finding(level=AlertLevel.WARNING, title="Few jobs tonight", message=f"Only {count} came.")

RULES = [NightlyVolume()]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import ClassVar

from sqlalchemy import select
from sqlmodel import Session, col

from mill_common.alerts.finding import Finding
from mill_common.clock import db_now
from mill_common.resources import Resources
from mill_common.samples import Host, hosts_now
from mill_common.settings import Settings
from mill_common.workers import Worker


@dataclass(frozen=True, kw_only=True)
class Inhibition:
    """While the inhibiting alert fires, alerts of these types are its symptoms and nobody is told of them."""

    types: frozenset[str]
    equal: Sequence[str] = ()  # labels that both must have the same


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What was found out before the database was asked, because it may take seconds. None is good news."""

    storage: str | None = None  # why object storage does not do
    broker: str | None = None
    host: str = ""
    logs: Sequence[str] = ()  # what is wrong with the log files


@dataclass(frozen=True, kw_only=True)
class View:
    """What rules look at. The session is for reading."""

    session: Session
    resources: Resources
    now: datetime  # the database's
    surroundings: Surroundings

    @property
    def settings(self) -> Settings:
        """Where the thresholds are."""
        return self.resources.settings

    @cached_property
    def workers(self) -> list[Worker]:
        """The workers that were heard of within a lease."""
        heard = col(Worker.heartbeat_at) > db_now(-self.settings.lease_s)
        living = select(Worker).where(col(Worker.stopped_at).is_(None), heard)
        return list(self.session.scalars(living.order_by(col(Worker.heartbeat_at))))

    @cached_property
    def hosts(self) -> dict[str, Host]:
        """How busy and full each host was when a service on it last said so, by its name."""
        return hosts_now(self.session, sample_s=self.settings.sample_s)


class Rule(ABC):
    """A condition that is looked for again and again.

    `find` yields what holds now, one finding for each set of labels. What it no longer yields is resolved. If it
    raises, its alerts stay as they are: not to know is not good news. It must be quick, and have an index to go by.
    """

    type: ClassVar[str]  # names it in alerts, routes and silences
    inhibits: ClassVar[Sequence[Inhibition]] = ()

    def for_s(self, settings: Settings) -> float:
        """How long a condition must hold before it fires, in seconds."""
        return 0.0

    @abstractmethod
    def find(self, view: View) -> Iterable[Finding]:
        """What holds now."""
