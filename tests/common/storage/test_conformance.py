"""What every object store must do, on files and on a real S3 server."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mill_common.errors import SourceMissing, StorageUnavailable
from mill_common.storage import ObjectStat, ObjectStore
from mill_common.storage.base import PART_MIN
from mill_common.storage.keys import check_key

MIB = 2**20


def put(store: ObjectStore, key: str, data: bytes = b"", content_type: str = "video/mp4") -> ObjectStat:
    return store.put(key, io.BytesIO(data), size=len(data), content_type=content_type)


def read(store: ObjectStore, key: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join(store.get(key, start=start, length=length))


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [found.key for found in store.list(prefix)]


class Zeros(io.RawIOBase):
    """A stream of zeros that calls `midway` once when half of it was read."""

    def __init__(self, size: int, midway: object = None) -> None:
        self.left, self.half, self.midway = size, size // 2, midway

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        size = self.left if size < 0 else min(size, self.left)
        self.left -= size
        if self.left <= self.half and callable(self.midway):
            midway, self.midway = self.midway, None
            midway()
        return bytes(size)


def stream_of(size: int, midway: object = None) -> BinaryIO:
    return Zeros(size, midway)  # type: ignore[return-value]  # RawIOBase is not typed as the BinaryIO it is


def test_an_object_comes_back_as_it_was_put(store: ObjectStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)  # S3 counts in whole seconds
    made = put(store, "jobs/1/720p.mp4", b"picture")
    assert read(store, "jobs/1/720p.mp4") == b"picture"
    assert made == store.stat("jobs/1/720p.mp4")
    assert (made.key, made.size, made.content_type) == ("jobs/1/720p.mp4", 7, "video/mp4")
    assert before <= made.modified_at
    assert made.modified_at.utcoffset() == timedelta(0)


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    put(store, "empty")
    assert store.stat("empty").size == 0
    assert read(store, "empty") == b""
    assert read(store, "empty", length=5) == b""


def test_putting_again_replaces_bytes_and_type(store: ObjectStore) -> None:
    put(store, "key.mp4", b"first", "video/x-first")
    assert store.stat("key.mp4").content_type == "video/x-first"
    put(store, "key.mp4", b"second", "video/x-second")
    assert store.stat("key.mp4").content_type == "video/x-second"
    put(store, "key.mp4", b"third", "video/mp4")
    assert store.stat("key.mp4").content_type == "video/mp4"
    assert read(store, "key.mp4") == b"third"


def test_a_type_ends_with_its_object(store: ObjectStore) -> None:
    put(store, "key.mp4", b"first", "video/x-first")
    store.delete(["key.mp4"])
    put(store, "key.mp4", b"again")
    assert store.stat("key.mp4").content_type == "video/mp4"


def test_a_local_file_becomes_an_object(store: ObjectStore, tmp_path: Path) -> None:
    local = tmp_path / "made.m4s"
    local.write_bytes(b"segment")
    os.utime(local, (0, 0))
    made = store.put_file("hls/1.m4s", local, content_type="video/iso.segment")
    assert made == store.stat("hls/1.m4s")
    assert made.modified_at.year > 2000
    local.unlink()
    assert read(store, "hls/1.m4s") == b"segment"


def test_one_local_file_becomes_several_objects(store: ObjectStore, tmp_path: Path) -> None:
    local = tmp_path / "made"
    local.write_bytes(b"bytes")
    for key in ("one", "one", "two"):
        store.put_file(key, local, content_type=f"video/x-{key}")
    assert [store.stat(key).content_type for key in ("one", "two")] == ["video/x-one", "video/x-two"]
    assert local.exists()


def test_an_object_is_fetched_as_a_local_file(store: ObjectStore, tmp_path: Path) -> None:
    put(store, "source.mp4", b"picture")
    wanted = tmp_path / "scratch.mp4"
    local = store.fetch("source.mp4", wanted)
    assert local.read_bytes() == b"picture"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] in ([], ["scratch.mp4"])


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (0, 1, b"0"),
        (9, 1, b"9"),
        (8, 99, b"89"),
        (10, None, b""),
        (99, None, b""),
        (10, 5, b""),
        (4, 0, b""),
    ],
)
def test_a_range_is_read(store: ObjectStore, start: int, length: int | None, expected: bytes) -> None:
    put(store, "digits", b"0123456789")
    assert read(store, "digits", start, length) == expected


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
def test_a_range_that_cannot_be_is_refused(store: ObjectStore, start: int, length: int | None) -> None:
    put(store, "digits", b"0123456789")
    with pytest.raises(ValueError, match="no such range"):
        store.get("digits", start=start, length=length)


def test_a_reader_may_stop_early(store: ObjectStore) -> None:
    put(store, "big", bytes(MIB))
    blocks = store.get("big")
    assert 0 < len(next(blocks)) < MIB
    blocks.close()  # type: ignore[attr-defined]  # said in the contract, not in the type
    assert list(blocks) == []


def test_what_is_missing_is_said_to_be_missing(store: ObjectStore, tmp_path: Path) -> None:
    put(store, "a/b", b"1")
    for key in ("nothing", "a", "a/b/c", "a/bc"):
        with pytest.raises(SourceMissing):
            store.stat(key)
        with pytest.raises(SourceMissing):
            store.get(key)
        with pytest.raises(SourceMissing):
            store.get(key, length=0)
        with pytest.raises(SourceMissing):
            store.fetch(key, tmp_path / "copy")


def test_deleting_ignores_what_is_missing(store: ObjectStore) -> None:
    for key in ("a/b/c", "a/d", "e"):
        put(store, key, b"1")
    assert store.delete(["a/b/c", "nothing/at/all", "e", "e"]) == 4
    assert keys(store) == ["a/d"]
    assert store.delete([]) == 0
    assert store.delete(["a/d"]) == 1
    assert keys(store) == []


def test_keys_are_listed_in_order_by_prefix(store: ObjectStore) -> None:
    names = ["a", "a b", "a-b", "a/b", "a/b/c", "a/é", "a/\U0001f3ac", "a0", "ab", "b+", "b+/c", "b+=", "b=", "b="]
    for name in names:
        put(store, name, name.encode())
    assert keys(store) == sorted(set(names), key=str.encode)
    assert keys(store, "a/") == ["a/b", "a/b/c", "a/é", "a/\U0001f3ac"]
    assert keys(store, "a/b") == ["a/b", "a/b/c"]
    assert keys(store, "a") == [key for key in sorted(set(names), key=str.encode) if key.startswith("a")]
    assert keys(store, "b+") == ["b+", "b+/c", "b+="]
    assert keys(store, "c") == []
    assert [found.size for found in store.list("a/é")] == [len("a/é".encode())]
    assert read(store, "b+=") == b"b+="


@pytest.mark.parametrize("prefix", ["/", "../", "a//", ".", "nothing/../a"])
def test_a_prefix_that_no_key_has_lists_nothing(store: ObjectStore, prefix: str) -> None:
    put(store, "a/b", b"1")
    assert keys(store, prefix) == []


AWKWARD = ["a b/c d.mp4", "Ünïcode/日本語.mp4", "%2e%2e/%41+&?#=;", "-", "~", "'\"<>|*", "e\u0301", "\u00e9", "x" * 240]


def test_awkward_keys_are_kept_exactly(store: ObjectStore) -> None:
    for key in AWKWARD:
        put(store, key, key.encode())
    assert sorted(keys(store)) == sorted(AWKWARD)
    assert all(read(store, key) == key.encode() for key in AWKWARD)
    assert store.delete(AWKWARD) == len(AWKWARD)
    assert keys(store) == []


INVALID = ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\x00b", "a\nb", "a\\b", "\ud800", "x" * 241]
INVALID += ["/".join(["x" * 200] * 6), "/".join("x" * 65)]


@pytest.mark.parametrize("key", INVALID, ids=range(len(INVALID)))
def test_an_invalid_key_is_refused_everywhere(store: ObjectStore, tmp_path: Path, key: str) -> None:
    local = tmp_path / "local"
    local.touch()
    for use in (
        lambda: put(store, key),
        lambda: store.put_file(key, local, content_type="video/mp4"),
        lambda: store.get(key),
        lambda: store.fetch(key, tmp_path / "copy"),
        lambda: store.stat(key),
        lambda: store.delete(["fine", key]),
        lambda: store.presign_get(key, expires_s=60),
        lambda: store.presign_put(key, expires_s=60),
        lambda: store.presign_part(key, "0" * 32, 1, expires_s=60),
        lambda: store.start_multipart(key, content_type="video/mp4"),
        lambda: store.store_part(key, "0" * 32, 1, b"x"),
        lambda: store.complete_multipart(key, "0" * 32, []),
        lambda: store.abort_multipart(key, "0" * 32),
    ):
        with pytest.raises(ValueError, match="key"):
            use()


def test_parts_may_leave_gaps_and_the_last_written_counts(store: ObjectStore) -> None:
    upload_id = store.start_multipart("gaps", content_type="video/mp4")
    first = store.store_part("gaps", upload_id, 2, b"a" * PART_MIN)
    store.store_part("gaps", upload_id, 5, b"not this one")
    store.store_part("gaps", upload_id, 7, b"nobody names this")
    last = store.store_part("gaps", upload_id, 5, b"the end")
    store.complete_multipart("gaps", upload_id, [first, last])
    assert b"".join(store.get("gaps")) == b"a" * PART_MIN + b"the end"


SEGMENTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.sampled_from([".", "..", "+", "+=", "a"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join))
def test_any_key_is_either_kept_exactly_or_refused(store: ObjectStore, key: str) -> None:
    try:
        check_key(key)
    except ValueError:
        with pytest.raises(ValueError, match="key"):
            put(store, key)
        return
    put(store, key, b"1")
    assert keys(store) == [key]
    assert read(store, key) == b"1"
    store.delete([key])
    assert keys(store) == []


@pytest.mark.parametrize("known", [True, False], ids=["size known", "size unknown"])
def test_a_big_stream_is_stored_in_flat_memory(store: ObjectStore, known: bool) -> None:
    size = 100 * MIB + 1
    tracemalloc.start()
    try:
        made = store.put("big", stream_of(size), size=size if known else None, content_type="video/mp4")
        stored = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        digest = hashlib.sha256()
        for block in store.get("big"):
            digest.update(block)
        fetched = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert made.size == size
    assert digest.digest() == hashlib.sha256(bytes(size)).digest()
    assert stored < 50 * MIB
    assert fetched < 10 * MIB


@pytest.mark.parametrize("size", [3 * MIB, 40 * MIB])
def test_a_reader_never_sees_part_of_an_object(store: ObjectStore, size: int) -> None:
    put(store, "key", b"old")
    seen: list[bytes] = []

    def look() -> None:
        seen.append(read(store, "key"))
        assert keys(store) == ["key"]

    store.put("key", stream_of(size, look), size=None, content_type="video/mp4")
    assert seen == [b"old"]
    assert store.stat("key").size == size


@pytest.mark.parametrize("size", [3 * MIB, 40 * MIB])
@pytest.mark.parametrize("error", [RuntimeError, OSError, StorageUnavailable])
def test_a_stream_that_raises_leaves_nothing(store: ObjectStore, size: int, error: type[Exception]) -> None:
    def fail() -> None:
        raise error("the client hung up")

    with pytest.raises(error, match="the client hung up"):
        store.put("key", stream_of(size, fail), size=size, content_type="video/mp4")
    assert keys(store) == []


@pytest.mark.parametrize("size", [3, 40 * MIB])
def test_a_stream_that_ends_early_leaves_nothing(store: ObjectStore, size: int) -> None:
    with pytest.raises(StorageUnavailable, match="ended 1 bytes early"):
        store.put("key", stream_of(size), size=size + 1, content_type="video/mp4")
    assert keys(store) == []


def test_no_more_is_read_than_was_announced(store: ObjectStore) -> None:
    stream = io.BytesIO(b"body next request")
    assert store.put("key", stream, size=4, content_type="text/plain").size == 4
    assert stream.read() == b" next request"


def test_writers_of_one_key_leave_one_whole_object(store: ObjectStore) -> None:
    def write(number: int) -> None:
        for _ in range(5):
            put(store, "folder/key", bytes([number]) * 1000 * number, f"video/x-{number}")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(1, 5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    data = read(store, "folder/key")
    assert data == bytes([data[0]]) * 1000 * data[0]
    assert store.stat("folder/key").content_type == f"video/x-{data[0]}"


def test_a_reader_never_sees_bytes_or_type_of_two_objects(store: ObjectStore) -> None:
    put(store, "key", b"1", "video/x-1")
    written = threading.Event()

    def replace() -> None:
        for number in range(2, 30):
            put(store, "key", b"1" * number, f"video/x-{number}")
        written.set()

    writer = threading.Thread(target=replace)
    writer.start()
    while not written.is_set():
        found = store.stat("key")
        assert found.content_type == f"video/x-{found.size}"
        assert found.size <= len(read(store, "key")) < 30
    writer.join()


def test_the_check_says_what_it_found_and_leaves_nothing(store: ObjectStore) -> None:
    assert store.check()["kind"] in {"files", "s3"}
    assert keys(store) == []
