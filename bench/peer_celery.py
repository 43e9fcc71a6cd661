"""No-op tasks on Celery, as its manual says for short tasks that must not be lost. Runs in `.venv-peers`."""

from __future__ import annotations

import os
import sys

from celery import Celery

from bench.marks import mark

app = Celery("peer", broker=os.environ["BENCH_REDIS"])
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
app.conf.task_ignore_result = True  # and no result backend: nobody asks for a no-op's result
app.conf.worker_prefetch_multiplier = 4  # its default


@app.task(name="noop")
def noop() -> None:
    """Do nothing."""
    mark()


if __name__ == "__main__":
    with app.pool.acquire(block=True), app.producer_pool.acquire(block=True) as producer:
        for _ in range(int(sys.argv[1])):
            noop.apply_async(producer=producer)
