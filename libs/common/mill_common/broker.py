"""Dramatiq carries wake-ups: "queue X has work". What the work is, only the rows say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

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
_LOOK_MS = 50  # the longest that an idle worker waits before it asks Redis again
_ENOUGH = 256  # wake-ups waiting in one queue


def open_broker(url: str) -> dramatiq.Broker:
    """The broker that `MILL_BROKER_URL` names: `memory://` or `redis://…`, a Redis database of its own."""
    # No middleware: a wake-up has no time limit, no retries and no result. All of that belongs to the rows.
    if url.startswith("memory://"):
        broker: dramatiq.Broker = StubBroker(middleware=[])
        # Dramatiq's command line does this for its workers; embedded, nobody else does.
        broker.emit_after("process_boot")
        return broker
    return SharedBroker(
        url=url,
        middleware=[],
        heartbeat_timeout=_HEARTBEAT_MS,
        maintenance_chance=_MAINTENANCE_CHANCE,
        socket_timeout=_SOCKET_TIMEOUT_S,
        socket_connect_timeout=_SOCKET_TIMEOUT_S,
    )


class SharedBroker(RedisBroker):
    """Takes a wake-up only while something here waits for one: a busy process leaves it to its peers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # Dramatiq leaves it untyped
        self.idle: Mapping[str, threading.Event] = {}

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> dramatiq.Consumer:
        """Dramatiq's own consumer, behind the queue's `idle` if it has one. `timeout` is in milliseconds."""
        consumer = super().consume(queue_name, prefetch, timeout)
        idle = self.idle.get(queue_name)
        return _IdleConsumer(consumer, idle, timeout / 1000) if idle else consumer

    def do_fetch(self, queue_name: str, prefetch: int) -> list[bytes | None]:
        """Dramatiq's own fetch, without what is no message: that would cost its consumer a restart of three seconds."""
        fetched: list[bytes | None] = self._dispatch("fetch")(queue_name, prefetch)  # type: ignore[no-untyped-call]
        garbage = [data for data in fetched if not (data is None or _is_message(data))]
        for data in garbage:
            log.warning("wake_up_unreadable", queue=queue_name)
            self._drop(queue_name, data)
        return [data for data in fetched if data not in garbage]

    def _drop(self, queue_name: str, data: bytes) -> None:
        # What cannot be read does not tell its number. There are never many to look through.
        for name, held in self.client.hscan_iter(f"{self.namespace}:{queue_name}.msgs"):
            if held == data:
                self.do_ack(queue_name, name)

    def waiting(self, queue: str) -> int:
        """How many wake-ups nobody has taken."""
        return int(self.do_qsize(queue))


def _is_message(data: bytes) -> bool:
    try:
        return "redis_message_id" in dramatiq.Message.decode(data).options
    except (dramatiq.errors.DecodeError, TypeError):
        return False


class _IdleConsumer(dramatiq.Consumer):
    def __init__(self, consumer: dramatiq.Consumer, idle: threading.Event, timeout_s: float) -> None:
        self._consumer = consumer
        self._idle = idle
        self._timeout_s = timeout_s

    def __next__(self) -> dramatiq.MessageProxy | None:
        return next(self._consumer) if self._idle.wait(self._timeout_s) else None

    def ack(self, message: dramatiq.MessageProxy) -> None:
        self._consumer.ack(message)

    def nack(self, message: dramatiq.MessageProxy) -> None:
        self._consumer.nack(message)

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        self._consumer.requeue(messages)

    def close(self) -> None:
        self._consumer.close()


class Dispatcher:
    """Sends wake-ups by queue and actor name; it knows no actor's code."""

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker

    def wake(self, queue: str, count: int = 1) -> None:
        """Send wake-ups to a queue's workers. Never raises: the watchdog sends again what is not sent here."""
        try:
            self._broker.declare_queue(queue)
            for _ in range(min(count, self._room(queue))):
                message: dramatiq.Message[None] = dramatiq.Message(
                    queue_name=queue, actor_name=f"{ACTOR}_{queue}", args=(), kwargs={}, options={}
                )
                self._broker.enqueue(message)
        except (dramatiq.errors.DramatiqError, RedisError, OSError) as error:
            log.warning("wake_up_not_sent", queue=queue, error=type(error).__name__)

    def _room(self, queue: str) -> int:
        # Workers go on until their queue is empty, so more than one a worker adds nothing but memory.
        return _ENOUGH - self._broker.waiting(queue) if isinstance(self._broker, SharedBroker) else _ENOUGH


def listen(
    broker: dramatiq.Broker, wakes: Mapping[str, Callable[[], None]], idle: Mapping[str, threading.Event]
) -> dramatiq.Worker:
    """Call a queue's function for every wake-up that reaches this process, until the worker is stopped.

    On a shared broker wake-ups are taken one at a time, and only while the queue's `idle` is set.
    """
    if isinstance(broker, SharedBroker):
        broker.idle = idle
    for queue, wake in wakes.items():
        name = f"{ACTOR}_{queue}"
        dramatiq.Actor(wake, broker=broker, actor_name=name, queue_name=queue, priority=0, options={})
    worker = dramatiq.Worker(broker, queues=set(wakes), worker_threads=len(wakes), worker_timeout=_LOOK_MS)
    worker.queue_prefetch = 1
    worker.start()
    return worker
