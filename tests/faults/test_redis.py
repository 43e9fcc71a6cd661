"""Redis loses everything, goes away, or takes nothing; messages are wrong."""

from __future__ import annotations

import time
from uuid import uuid4

import dramatiq
import pytest
import redis
from faults.cluster import Cluster
from faults.recovery import Recovery

from mill_common.broker import ACTOR
from mill_common.models import Outcome
from mill_common.states import TaskStatus

NEVER = "3600"  # so that only a wake-up makes a worker look


@pytest.mark.fault("Redis: FLUSHALL with queued and running work", "the watchdog wakes again; nothing is lost")
def test_flushall_loses_no_job(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    cluster.start("watchdog")
    cluster.start("transcoder", MILL_POLL_S=NEVER)
    jobs = [cluster.job(), cluster.job("grace")]
    cluster.held("encode")
    with redis.Redis.from_url(cluster.broker_url) as client:
        client.flushall()
        with recovery:
            cluster.turnstile.open()
            cluster.until_completed(*jobs)
        cluster.until_quiet()
        lost = cluster.job(wake=False)
        client.flushall()
    cluster.until_completed(lost)


@pytest.mark.parametrize("seconds", [2, 15])
@pytest.mark.fault("Redis: down and back", "jobs are accepted meanwhile; wake-ups work again when it is back")
def test_redis_comes_back(cluster: Cluster, recovery: Recovery, seconds: int) -> None:
    cluster.start("watchdog")
    worker = cluster.start("transcoder", MILL_POLL_S=NEVER)
    cluster.until_completed(cluster.job())
    cluster.until_quiet()
    cluster.grounds.redis.stop(kill=True)
    job = cluster.job()
    time.sleep(seconds)
    cluster.grounds.redis.start()
    with recovery:
        cluster.until_completed(job)
    cluster.until_completed(cluster.job())
    assert worker.alive


@pytest.mark.fault("Redis: down for good, also while services start", "work goes on by looking at the rows")
def test_work_goes_on_without_redis(cluster: Cluster, recovery: Recovery) -> None:
    early = cluster.start("transcoder")
    cluster.until_completed(cluster.job())
    cluster.grounds.redis.stop(kill=True)
    with recovery:
        cluster.until_completed(cluster.job())
    assert early.stop() == 0
    cluster.start("watchdog")
    cluster.start("transcoder")
    cluster.until_completed(cluster.job())
    cluster.stop()


@pytest.mark.fault("Redis: read-only", "work goes on by looking at the rows; wake-ups work again afterwards")
def test_work_goes_on_with_a_redis_that_takes_nothing(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    worker = cluster.start("transcoder")
    cluster.until_completed(cluster.job())
    with redis.Redis.from_url(cluster.broker_url) as client:
        client.replicaof("127.0.0.1", "1")
        with recovery:
            cluster.until_completed(cluster.job())
        client.replicaof("NO", "ONE")
    cluster.until_completed(cluster.job())
    assert worker.alive


@pytest.mark.fault("the same message a hundred times", "one claim a task")
def test_a_message_delivered_a_hundred_times_is_worked_on_once(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    for _ in range(2):
        cluster.start("transcoder")
    with recovery:
        jobs = [cluster.job(), cluster.job("grace")]
        message = _message(f"{ACTOR}_transcode")
        for _ in range(100):
            cluster.broker.enqueue(message)
        cluster.until_completed(*jobs)
    assert {(attempt.epoch, attempt.outcome) for attempt in cluster.attempts()} == {(1, Outcome.COMPLETED)}


@pytest.mark.fault("messages: unknown actor, stale ids, garbage", "the next good one is heard")
def test_messages_that_mean_nothing_do_no_harm(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    worker = cluster.start("transcoder", MILL_POLL_S=NEVER)
    cluster.until_completed(cluster.job())
    cluster.until_quiet()
    with redis.Redis.from_url(cluster.broker_url) as client:
        cluster.broker.enqueue(_message("nobody"))
        client.rpush("dramatiq:transcode", str(uuid4()))
        for garbage in (b"\xff\x00 no json", b"[]", b'{"queue_name": "transcode"}', b""):
            name = str(uuid4())
            client.hset("dramatiq:transcode.msgs", name, garbage)
            client.rpush("dramatiq:transcode", name)
        with recovery:
            cluster.until_completed(cluster.job())
        cluster.until(lambda: client.llen("dramatiq:transcode") == 0)
        cluster.until(lambda: client.hlen("dramatiq:transcode.msgs") == 0)  # nor does it come again
    assert worker.alive
    assert not worker.said("Consumer encountered an unexpected error")


@pytest.mark.fault("a process dies between commit and send", "the watchdog sends the wake-up")
def test_a_job_whose_wake_up_was_never_sent_is_done(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    cluster.start("transcoder", MILL_POLL_S=NEVER)
    cluster.until_completed(cluster.job())
    cluster.until_quiet()
    with recovery:
        job = cluster.job(wake=False)
        assert cluster.desk.tasks(job)["probe"].status is TaskStatus.QUEUED
        cluster.until_completed(job)


def _message(actor: str) -> dramatiq.Message[None]:
    return dramatiq.Message(queue_name="transcode", actor_name=actor, args=(), kwargs={}, options={})
