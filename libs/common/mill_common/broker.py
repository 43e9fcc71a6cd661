"""Dramatiq carries wake-ups: "queue X has work". What the work is, only the rows say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

ACTOR = "wake"
# After a kill -9 the default rescues messages by chance, after minutes; this does within seconds.
_HEARTBEAT_MS = 5_000
_MAINTENANCE_CHANCE = 1_000_000
_SOCKET_TIMEOUT_S = 5.0


def open_broker(url: str) -> dramatiq.Broker:
    """The broker that `MILL_BROKER_URL` names: `memory://` or `redis://…`, a Redis database of its own."""
    # No middleware: a wake-up has no time limit, no retries and no result. All of that belongs to the rows.
    if url.startswith("memory://"):
        broker: dramatiq.Broker = StubBroker(middleware=[])
        # Dramatiq's command line does this for its workers; embedded, nobody else does.
        broker.emit_after("process_boot")
        return broker
    return RedisBroker(
        url=url,
        middleware=[],
        heartbeat_timeout=_HEARTBEAT_MS,
        maintenance_chance=_MAINTENANCE_CHANCE,
        socket_timeout=_SOCKET_TIMEOUT_S,
        socket_connect_timeout=_SOCKET_TIMEOUT_S,
    )


class Dispatcher:
    """Sends wake-ups by queue and actor name; it knows no actor's code."""

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker

    def wake(self, queue: str, count: int = 1) -> None:
        """Send wake-ups to a queue's workers. Never raises: the watchdog sends again what is not sent here."""
        try:
            self._broker.declare_queue(queue)
            for _ in range(count):
                message: dramatiq.Message[None] = dramatiq.Message(
                    queue_name=queue, actor_name=f"{ACTOR}_{queue}", args=(), kwargs={}, options={}
                )
                self._broker.enqueue(message)
        except (dramatiq.errors.DramatiqError, RedisError, OSError) as error:
            log.warning("wake_up_not_sent", queue=queue, error=type(error).__name__)


def listen(broker: dramatiq.Broker, wakes: Mapping[str, Callable[[], None]]) -> dramatiq.Worker:
    """Call a queue's function for every wake-up that reaches this process, until the worker is stopped.

    One message is taken at a time, so that what this process does not need is left to its peers.
    """
    for queue, wake in wakes.items():
        name = f"{ACTOR}_{queue}"
        dramatiq.Actor(wake, broker=broker, actor_name=name, queue_name=queue, priority=0, options={})
    worker = dramatiq.Worker(broker, queues=set(wakes), worker_threads=len(wakes))
    worker.queue_prefetch = 1
    worker.start()
    return worker
