"""Threads for what blocks, off the event loop. Every request goes to one and back, so the way there has to be short."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 40  # as many as anyio has


class Threads:
    """Started as they are needed. All methods are called on the event loop of the first `run`."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._started = 0
        self._busy = 0  # threads, and what waits for one

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function` in a thread that sees the context variables of here.

        Whoever stops waiting leaves the thread to its end.
        """
        loop = asyncio.get_running_loop()
        work = _Work(loop, copy_context(), partial(function, *arguments), self._done)
        self._busy += 1
        if self._busy > self._started < self._most:
            self._started += 1
            threading.Thread(target=_serve, args=(self._work,), name="mill-request", daemon=True).start()
        self._work.put(work)
        return await work.future  # type: ignore[no-any-return]  # of whatever type the function returns

    def close(self) -> None:
        """Let the threads end once they have done what was given to them."""
        for _ in range(self._started):
            self._work.put(None)
        self._started = 0

    def _done(self) -> None:
        self._busy -= 1


class _Work:
    """One call. `settle` is called on the event loop when it has ended."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, context: Context, call: Callable[[], Any], done: Callable[[], None]
    ) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self._loop = loop
        self._context = context
        self._call = call
        self._done = done

    def do(self) -> None:
        result: Any = None
        failure: BaseException | None = None
        try:
            result = self._context.run(self._call)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, result, failure)

    def _settle(self, result: Any, failure: BaseException | None) -> None:
        self._done()
        if self.future.done():  # cancelled
            return
        if failure is None:
            self.future.set_result(result)
        else:
            # A future takes any exception but this one.
            self.future.set_exception(RuntimeError(str(failure)) if isinstance(failure, StopIteration) else failure)


def _serve(work: SimpleQueue[_Work | None]) -> None:
    while (given := work.get()) is not None:
        given.do()
        del given  # it holds a request until the next one comes
