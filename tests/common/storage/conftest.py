"""Both stores, and someone who follows their links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from link_visitors import HttpVisitor, LocalVisitor, Visitor

from mill_common.settings import Settings
from mill_common.storage import FileStore, ObjectStore, open_store


@pytest.fixture
def file_store(tmp_path: Path) -> FileStore:
    store = open_store(Settings(data_dir=tmp_path / "data"))
    assert isinstance(store, FileStore)
    return store


@pytest.fixture(params=["files", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """An empty store of each kind."""
    if request.param == "files":
        return request.getfixturevalue("file_store")  # type: ignore[no-any-return]  # pytest's own signature
    return open_store(Settings(storage_url=request.getfixturevalue("s3_url")))


@pytest.fixture
def visitor(store: ObjectStore) -> Iterator[Visitor]:
    if isinstance(store, FileStore):
        yield LocalVisitor(store)
        return
    with httpx.Client(timeout=30) as client:
        yield HttpVisitor(client)
