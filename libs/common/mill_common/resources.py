"""What every service is wired from: settings become open connections once, at the start of the process."""

from __future__ import annotations

from dataclasses import dataclass

import dramatiq

from mill_common.broker import Dispatcher, open_broker
from mill_common.database import Database
from mill_common.queue import Policy, TaskQueue
from mill_common.settings import Settings
from mill_common.storage import ObjectStore, open_store


@dataclass(frozen=True)
class Resources:
    """A process's connections."""

    settings: Settings
    database: Database
    store: ObjectStore
    broker: dramatiq.Broker
    dispatcher: Dispatcher
    queue: TaskQueue

    def close(self) -> None:
        """Close what is open."""
        self.broker.close()
        self.database.close()


def open_resources(settings: Settings) -> Resources:
    """Open everything that `settings` name. Nothing is contacted yet."""
    database = Database(settings.database_url)
    broker = open_broker(settings.broker_url)
    dispatcher = Dispatcher(broker)
    return Resources(
        settings=settings,
        database=database,
        store=open_store(settings),
        broker=broker,
        dispatcher=dispatcher,
        queue=TaskQueue(database, Policy.from_settings(settings), dispatcher),
    )
