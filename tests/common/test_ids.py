"""Identifiers sort by the time they were made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from mill_common.ids import uuid7


def test_identifiers_of_one_process_ascend() -> None:
    made = [uuid7() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_identifiers_made_at_once_differ() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: [uuid7() for _ in range(500)], range(8)))
    assert len({one for some in made for one in some}) == 4000
    assert all(some == sorted(some) for some in made)


def test_an_identifier_is_a_version_7_uuid_of_now() -> None:
    made = uuid7()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert abs((made.int >> 80) / 1000 - datetime.now(UTC).timestamp()) < 60
