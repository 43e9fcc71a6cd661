"""One database, SQLite or PostgreSQL, behind three kinds of transaction."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import PoolProxiedConnection
from sqlmodel import Session

from mill_common.connections import Connections
from mill_common.histogram import bucket_of

T = TypeVar("T")

RETRIES = 5
IDLE_S = 0.1  # no server restarts in less: a connection that was used since then is taken to be there
IDLE_IN_TRANSACTION_S = 15
# A server that vanished without a word is noticed well within a lease. Seconds, then milliseconds.
_POSTGRES = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# Deadlock found, serialisation failure, and SQLite's own words for "somebody else is writing".
_TRANSIENT = ("40P01", "40001")
_UNGUESSED = {"synchronize_session": False}
_BUSY = ("database is locked", "database table is locked")


class Database:
    """A pool of connections. `read` sees a snapshot; `write` commits when its block ends well."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg2")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(
            parsed,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_use_lifo=True,  # the one used last knows its statements, and is still in the caches
            connect_args={} if self.is_sqlite else _POSTGRES,
        )
        _ask_the_idle(self.engine)
        self._connections = None if self.is_sqlite else Connections(self.engine)
        (_tune_sqlite if self.is_sqlite else _tune_postgres)(self.engine)
        self._writer = self.engine.execution_options(mill_write=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that is rolled back at the end."""
        with Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """As `read`, and all that is read is of one moment."""
        with self.read() as session:
            freeze(session)
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that is committed at the end, or rolled back if the block raises."""
        # A row is read again after it was written by a statement; guessing its new state costs more than that.
        with Session(self._writer, expire_on_commit=False, execution_options=_UNGUESSED) as session, session.begin():
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """A connection on which each statement is a transaction by itself: no trips to begin and end one."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                yield connection
                return
            with _committing(connection.connection):
                yield connection

    def run(self, work: Callable[[Session], T]) -> T:
        """Do `work` in a write transaction, again if the database chose it as the victim of a conflict."""
        return self.transact(lambda connection: _in_session(connection, work))

    def transact(self, work: Callable[[Connection], T]) -> T:
        """As `run`, for work that needs no session: one costs as much as two statements."""
        for attempt in range(RETRIES):
            try:
                with self._writer.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                if attempt == RETRIES - 1 or not _is_conflict(error):
                    raise
                time.sleep(0.02 * 2**attempt)
        raise AssertionError("unreachable")

    def check(self) -> None:
        """Raise if the database does not answer."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")

    def hang_up(self) -> None:
        """Break every connection, whoever waits on it, and open no more. For a process that is about to end."""
        if self._connections is not None:
            self._connections.hang_up()

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


@contextmanager
def session_on(connection: Connection) -> Iterator[Session]:
    """A session within the transaction that `connection` is in, which goes on after it."""
    with Session(connection, expire_on_commit=False, execution_options=_UNGUESSED) as session:
        yield session
        session.flush()


def _in_session(connection: Connection, work: Callable[[Session], T]) -> T:
    with session_on(connection) as session:
        return work(session)


def freeze(session: Session) -> None:
    """Let a transaction that has not begun see one moment, whatever is committed while it lasts; SQLite's do anyway."""
    if session.get_bind().dialect.name != "sqlite":
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


@contextmanager
def _committing(connection: PoolProxiedConnection) -> Iterator[None]:
    # The driver's own switch tells the server nothing; SQLAlchemy's takes two trips.
    driver: Any = connection.driver_connection
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False


def _is_conflict(error: DBAPIError) -> bool:
    return getattr(error.orig, "pgcode", None) in _TRANSIENT or any(text in str(error.orig) for text in _BUSY)


def _ask_the_idle(engine: Engine) -> None:
    """Ask a connection that was idle for a while whether it is still there. Asking each time would cost too much."""

    @event.listens_for(engine, "checkin")
    def leave(_connection: Any, record: Any) -> None:
        record.info["left_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("left_at", math.inf) < IDLE_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error


def _tune_postgres(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # A process that was stopped in a transaction must not hold its job's row for long. Ours wait for nothing but
        # the database, so none that runs is idle for a second.
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_S}s'")
            # What is prepared (see `prepared.py`) has one good plan, and planning costs more than following it. By
            # itself the server would plan a claim anew each time.
            cursor.execute("SET plan_cache_mode = force_generic_plan")
        connection.commit()


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        # Its own knows ASCII alone: a search in any case would not find "Ärger" by "ärger".
        connection.create_function("lower", 1, _lower, deterministic=True)
        connection.create_function("duration_bucket", 1, bucket_of, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A read that turns into a write can fail with SQLITE_BUSY at once, whatever the timeout: take the lock first.
        writing = connection.get_execution_options().get("mill_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
