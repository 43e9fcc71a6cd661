"""Links that let someone without credentials read or write, on both stores."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
from link_visitors import Visitor

from mill_common.errors import SourceMissing
from mill_common.storage import ObjectStore, UploadInvalid, UploadPart
from mill_common.storage.base import PART_MIN

KEY = "jobs/1/a clip & more – ü.mp4"


def put(store: ObjectStore, key: str, data: bytes) -> None:
    store.put(key, io.BytesIO(data), size=len(data), content_type="video/mp4")


def read(store: ObjectStore, key: str) -> bytes:
    return b"".join(store.get(key))


def altered(url: str, change: Callable[[dict[str, str]], None]) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    before = dict(query)
    change(query)
    assert query != before
    return urlunsplit(parts._replace(query=urlencode(query)))


def another(text: str) -> str:
    return ("1" if text[0] != "1" else "2") + text[1:]


def spoil_signature(query: dict[str, str]) -> None:
    name = next(name for name in query if name.lower().endswith("signature"))
    query[name] = another(query[name])


def prolong(query: dict[str, str]) -> None:
    name = next(name for name in query if name.lower().endswith("expires"))
    query[name] = str(int(query[name]) + 1000)


def drop_signature(query: dict[str, str]) -> None:
    del query[next(name for name in query if name.lower().endswith("signature"))]


def add_filename(query: dict[str, str]) -> None:
    query["filename"] = "other.exe"
    query["response-content-disposition"] = "inline"


CHANGES = [spoil_signature, prolong, drop_signature, add_filename]


def test_a_link_serves_the_object_and_its_ranges(store: ObjectStore, visitor: Visitor) -> None:
    put(store, KEY, b"0123456789")
    url = store.presign_get(KEY, expires_s=60)
    whole = visitor.get(url)
    assert (whole.status, whole.body) == (200, b"0123456789")
    part = visitor.get(url, (2, 5))
    assert (part.status, part.body) == (206, b"2345")


def test_a_link_names_the_file_it_downloads_as(store: ObjectStore, visitor: Visitor) -> None:
    put(store, KEY, b"picture")
    name = 'mine; "ü".mp4'
    answer = visitor.get(store.presign_get(KEY, expires_s=60, filename=name))
    assert answer.body == b"picture"
    assert answer.filename == name


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_link_is_refused(
    store: ObjectStore, visitor: Visitor, change: Callable[[dict[str, str]], None]
) -> None:
    put(store, KEY, b"picture")
    url = altered(store.presign_get(KEY, expires_s=60), change)
    assert visitor.get(url).status in {400, 403}
    url = altered(store.presign_put(KEY, expires_s=60), change)
    assert visitor.put(url, b"forged").status in {400, 403}
    assert read(store, KEY) == b"picture"


def test_a_link_leads_to_no_other_object(store: ObjectStore, visitor: Visitor) -> None:
    put(store, "mine", b"mine")
    put(store, "yours", b"yours")
    url = store.presign_get("mine", expires_s=60)
    assert visitor.get(url).body == b"mine"
    assert visitor.get(url.replace("/mine", "/yours")).status == 403


def test_a_link_to_read_does_not_write_and_the_reverse(store: ObjectStore, visitor: Visitor) -> None:
    put(store, KEY, b"picture")
    assert visitor.put(store.presign_get(KEY, expires_s=60), b"forged").status == 403
    assert visitor.get(store.presign_put(KEY, expires_s=60)).status == 403
    assert read(store, KEY) == b"picture"


def test_a_link_expires(store: ObjectStore, visitor: Visitor) -> None:
    put(store, KEY, b"picture")
    urls = [store.presign_get(KEY, expires_s=1), store.presign_put(KEY, expires_s=1)]
    while visitor.get(urls[0]).status == 200:
        time.sleep(0.1)
    assert visitor.get(urls[0]).status == 403
    assert visitor.put(urls[1], b"late").status == 403
    assert read(store, KEY) == b"picture"


@pytest.mark.parametrize("expires_s", [0, -1, 7 * 24 * 3600 + 1])
def test_a_link_for_no_time_or_too_long_is_refused(store: ObjectStore, expires_s: int) -> None:
    for make in (store.presign_get, store.presign_put):
        with pytest.raises(ValueError, match="a link lasts from 1 to 604800 seconds"):
            make(KEY, expires_s=expires_s)
    with pytest.raises(ValueError, match="a link lasts"):
        store.presign_part(KEY, "0" * 32, 1, expires_s=expires_s)


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_a_part_number_out_of_range_is_refused(store: ObjectStore, number: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 10000"):
        store.presign_part(KEY, "0" * 32, number, expires_s=60)


def test_a_link_takes_an_object(store: ObjectStore, visitor: Visitor) -> None:
    assert visitor.put(store.presign_put(KEY, expires_s=60), b"uploaded").status == 200
    assert read(store, KEY) == b"uploaded"


def upload(store: ObjectStore, visitor: Visitor, upload_id: str, number: int, data: bytes) -> UploadPart:
    answer = visitor.put(store.presign_part(KEY, upload_id, number, expires_s=60), data)
    assert answer.status == 200
    return UploadPart(number, answer.etag)


def test_parts_become_one_object(store: ObjectStore, visitor: Visitor) -> None:
    upload_id = store.start_multipart(KEY, content_type="video/x-parts")
    first, second = b"1" * PART_MIN, b"2" * 1000
    later = upload(store, visitor, upload_id, 3, second)
    parts = [upload(store, visitor, upload_id, 1, first), later]
    assert list(store.list("")) == []
    made = store.complete_multipart(KEY, upload_id, parts)
    assert (made.size, made.content_type) == (PART_MIN + 1000, "video/x-parts")
    assert made == store.stat(KEY)
    assert read(store, KEY) == first + second


def test_a_part_sent_again_replaces_the_first_try(store: ObjectStore, visitor: Visitor) -> None:
    upload_id = store.start_multipart(KEY, content_type="video/mp4")
    stale = upload(store, visitor, upload_id, 1, b"first try")
    fresh = upload(store, visitor, upload_id, 1, b"second try")
    with pytest.raises(UploadInvalid):
        store.complete_multipart(KEY, upload_id, [stale])
    store.complete_multipart(KEY, upload_id, [fresh])
    assert read(store, KEY) == b"second try"


def test_parts_that_do_not_match_are_refused(store: ObjectStore, visitor: Visitor) -> None:
    upload_id = store.start_multipart(KEY, content_type="video/mp4")
    small = upload(store, visitor, upload_id, 1, b"too small")
    last = upload(store, visitor, upload_id, 2, b"last")
    for parts in (
        [],
        [small, last],
        [last, small],
        [UploadPart(2, small.etag)],
        [UploadPart(7, small.etag)],
        [UploadPart(1, "../../secret")],
    ):
        with pytest.raises(UploadInvalid):
            store.complete_multipart(KEY, upload_id, parts)
    assert list(store.list("")) == []
    assert store.complete_multipart(KEY, upload_id, [last]).size == 4


def test_an_aborted_upload_is_gone(store: ObjectStore, visitor: Visitor) -> None:
    upload_id = store.start_multipart(KEY, content_type="video/mp4")
    part = upload(store, visitor, upload_id, 1, b"part")
    store.abort_multipart(KEY, upload_id)
    store.abort_multipart(KEY, upload_id)
    with pytest.raises(SourceMissing):
        store.complete_multipart(KEY, upload_id, [part])
    assert list(store.list("")) == []


def test_an_upload_belongs_to_its_key(store: ObjectStore, visitor: Visitor) -> None:
    upload_id = store.start_multipart(KEY, content_type="video/mp4")
    part = upload(store, visitor, upload_id, 1, b"part")
    store.abort_multipart("another", upload_id)
    with pytest.raises(SourceMissing):
        store.complete_multipart("another", upload_id, [part])
    assert store.complete_multipart(KEY, upload_id, [part]).size == 4


@pytest.mark.parametrize("change", [*CHANGES, lambda query: query.update(partNumber="2", part="2")])
def test_a_changed_link_to_a_part_is_refused(
    store: ObjectStore, visitor: Visitor, change: Callable[[dict[str, str]], None]
) -> None:
    upload_id = store.start_multipart(KEY, content_type="video/mp4")
    url = store.presign_part(KEY, upload_id, 1, expires_s=60)
    assert visitor.put(altered(url, change), b"forged").status in {400, 403}
