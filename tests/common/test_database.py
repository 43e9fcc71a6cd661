"""Transactions, and the ends of connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from common.desk import Desk
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from waiting import WAIT_S, wait_for
from wire import Wire

from mill_common.connections import HungUp
from mill_common.database import IDLE_IN_TRANSACTION_S, Database
from mill_common.models import Owner


@pytest.fixture
def wire(migrated_postgres_url: str) -> Iterator[Wire]:
    """The wire to a fresh database."""
    with Wire(migrated_postgres_url) as wire:
        yield wire


@pytest.fixture
def far(wire: Wire) -> Iterator[Database]:
    """The database at the other end of the wire."""
    with closing(Database(wire.url)) as database:
        yield database


def test_a_write_that_raises_leaves_nothing(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError), desk.database.write() as session:
        session.add(Owner(id="ada"))
        session.flush()
        raise ZeroDivisionError
    assert desk.count(Owner) == 0


def test_who_waits_for_a_silent_database_is_let_go_when_it_is_hung_up_on(wire: Wire, far: Database) -> None:
    errors: list[Exception] = []

    def ask() -> None:
        try:
            far.check()
        except SQLAlchemyError as error:
            errors.append(error)

    far.check()
    wire.freeze()
    asking = threading.Thread(target=ask)
    asking.start()
    wait_for(lambda: far.engine.pool.checkedout() == 1)  # type: ignore[attr-defined]  # it is a QueuePool
    far.hang_up()
    asking.join(WAIT_S)
    assert len(errors) == 1


def test_a_database_that_was_hung_up_on_is_asked_nothing_more(far: Database) -> None:
    far.check()
    far.hang_up()
    with pytest.raises(HungUp):
        far.check()


def test_connections_that_are_closed_leave_no_socket_behind(far: Database) -> None:
    for _ in range(3):
        far.check()
        far.close()
    assert far._connections is not None
    assert far._connections._sockets == {}


def test_a_process_that_stands_still_in_a_transaction_loses_it(migrated_postgres_url: str) -> None:
    with closing(Database(migrated_postgres_url)) as database, database.read() as session:
        set_to = session.scalar(text("SHOW idle_in_transaction_session_timeout"))
    assert set_to == f"{IDLE_IN_TRANSACTION_S}s"
