"""Threads for requests: started as they are needed, and a call in one is like a call here."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from mill_api.threads import Threads

WAIT_S = 20.0
named: ContextVar[str] = ContextVar("named", default="nobody")


def test_a_call_sees_the_context_and_leaves_it_alone() -> None:
    def rename() -> str:
        before = named.get()
        named.set("somebody else")
        return before

    async def go() -> tuple[str, str]:
        named.set("ada")
        return await Threads().run(rename), named.get()

    assert asyncio.run(go()) == ("ada", "ada")


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("none")])
def test_an_error_arrives_where_the_call_is_waited_for(error: Exception) -> None:
    def fail() -> None:
        raise error

    async def go() -> None:
        await Threads().run(fail)

    with pytest.raises(type(error)) as raised:
        asyncio.run(go())
    assert raised.value is error


def test_the_end_of_an_iterator_does_not_leave_the_caller_waiting() -> None:
    async def go() -> None:
        await asyncio.wait_for(Threads().run(next, iter(())), WAIT_S)

    with pytest.raises(RuntimeError):
        asyncio.run(go())


def test_calls_run_side_by_side_and_never_more_than_allowed() -> None:
    at_once = threading.Barrier(3)
    running: list[int] = []
    most = 0
    lock = threading.Lock()

    def meet() -> None:
        nonlocal most
        with lock:
            running.append(1)
            most = max(most, len(running))
        at_once.wait(WAIT_S)  # all three are here, or nobody gets on
        with lock:
            running.pop()

    async def go() -> None:
        threads = Threads(most=3)
        await asyncio.gather(*(threads.run(meet) for _ in range(9)))

    asyncio.run(go())
    assert most == 3


def test_an_idle_thread_is_used_again() -> None:
    async def go() -> set[int]:
        threads = Threads()
        return {await threads.run(threading.get_ident) for _ in range(20)}

    assert len(asyncio.run(go())) == 1


def test_who_stops_waiting_disturbs_nobody() -> None:
    left, free = threading.Event(), threading.Event()

    def wait() -> None:
        free.wait(WAIT_S)
        left.set()

    async def go() -> str:
        threads = Threads(most=1)
        waiting = asyncio.create_task(threads.run(wait))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not left.is_set()
        free.set()
        return await asyncio.wait_for(threads.run(str, "next"), WAIT_S)

    assert asyncio.run(go()) == "next"
    assert left.is_set()


def test_closed_threads_end() -> None:
    async def go() -> threading.Thread:
        threads = Threads()
        thread = await threads.run(threading.current_thread)
        threads.close()
        return thread

    thread = asyncio.run(go())
    thread.join(WAIT_S)
    assert not thread.is_alive()
