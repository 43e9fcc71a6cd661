"""No-op tasks on procrastinate. Runs in `.venv-peers`."""

from __future__ import annotations

import asyncio
import os
import sys

from procrastinate import App, PsycopgConnector

from bench.marks import mark

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_POSTGRES"]))


@app.task(name="noop")
async def noop() -> None:
    """Do nothing."""
    mark()


async def _defer(count: int) -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await noop.batch_defer_async(*({} for _ in range(count)))


if __name__ == "__main__":
    asyncio.run(_defer(int(sys.argv[1])))
