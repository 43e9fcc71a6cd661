"""Settings that change while the system runs: rows that every process looks at every few seconds."""

from __future__ import annotations

from sqlalchemy import delete
from sqlmodel import Session

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.logs import set_level
from mill_common.models import RuntimeSetting

LOG_LEVEL = "log_level"
LOOK_S = 2.0


def chosen(session: Session, name: str) -> str | None:
    """What was chosen for everybody; None if each process goes by its own environment."""
    row = session.get(RuntimeSetting, name)
    return row.value if row else None


def choose(session: Session, name: str, value: str | None) -> None:
    """Choose for everybody, or with None for nobody."""
    if value is None:
        session.execute(delete(RuntimeSetting).where(RuntimeSetting.name == name))  # type: ignore[arg-type]
        return
    row = session.get(RuntimeSetting, name)
    if row is None:
        session.add(RuntimeSetting(name=name, value=value))
    else:
        row.value = value
        row.set_at = db_now()  # type: ignore[assignment]  # the database fills it in


class LogLevel:
    """Keeps this process's log level at what was chosen, or at its own."""

    def __init__(self, database: Database, own: str) -> None:
        self._database = database
        self._own = own
        self._now = own

    def follow(self) -> None:
        """Look what is chosen, and change to it."""
        with self._database.read() as session:
            level = chosen(session, LOG_LEVEL) or self._own
        if level != self._now:
            set_level(level)
            self._now = level
