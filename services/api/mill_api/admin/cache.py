"""Figures that cost the database something: reckoned at most every few seconds, and marked with their age."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

log = structlog.get_logger(__name__)

T = TypeVar("T")
KEPT = 200  # answers; more collections than that are asked for in turn only by programs
LATE = 4  # so many times as old as it should be, an answer is not given any more


@dataclass(frozen=True)
class Aged(Generic[T]):
    """A value and how old it is."""

    value: T
    age_s: float


class Cache:
    """Answers at once with what is known, and has it reckoned anew in the background once it is old.

    What is much too old, or not known, is waited for.
    """

    def __init__(self, fresh_s: float) -> None:
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[float, Any]] = {}
        self._at_work: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, reckon: Callable[[], T]) -> Aged[T]:
        """The answer that is known under `key`, or what `reckon` gives."""
        known = self._look(key)
        if known is None or known.age_s > LATE * self._fresh_s:
            return self._wait(key, reckon)
        if known.age_s > self._fresh_s:
            threading.Thread(target=self._renew, args=(key, reckon), name="figures", daemon=True).start()
        return known

    def _look(self, key: Hashable) -> Aged[Any] | None:
        with self._lock:
            known = self._known.get(key)
        return Aged(known[1], time.monotonic() - known[0]) if known else None

    def _wait(self, key: Hashable, reckon: Callable[[], T]) -> Aged[T]:
        with self._turn(key):
            known = self._look(key)
            if known is not None and known.age_s <= self._fresh_s:
                return known  # somebody else's, who was first
            began = time.monotonic()
            value = reckon()
            self._keep(key, began, value)
            return Aged(value, time.monotonic() - began)

    def _renew(self, key: Hashable, reckon: Callable[[], Any]) -> None:
        turn = self._turn(key)
        if not turn.acquire(blocking=False):
            return
        try:
            began = time.monotonic()
            self._keep(key, began, reckon())
        except SQLAlchemyError as error:
            log.warning("figures_not_renewed", error=type(error).__name__)
        finally:
            turn.release()

    def _turn(self, key: Hashable) -> threading.Lock:
        with self._lock:
            return self._at_work.setdefault(key, threading.Lock())

    def _keep(self, key: Hashable, began: float, value: Any) -> None:
        with self._lock:
            if len(self._known) >= KEPT:
                self._known.clear()
                self._at_work.clear()
            self._known[key] = (began, value)


def cache(request: Request) -> Cache:
    """The figures of the application that serves `request`."""
    wired = request.app.state.figures
    assert isinstance(wired, Cache)
    return wired
