"""A cluster that a test may break, and the oracle that looks at it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.clip import make_clip
from faults.cluster import Cluster
from faults.grounds import Grounds, migrated
from faults.invariants import History, check
from faults.recovery import CACHE, Recovery
from servers import ServerMissing


@pytest.fixture(scope="session")
def grounds() -> Iterator[Grounds]:
    """The servers, to be broken."""
    try:
        grounds = Grounds()
    except ServerMissing as missing:
        pytest.skip(str(missing))
    try:
        yield grounds
    finally:
        grounds.close()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source that is quickly done."""
    return make_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def cluster(grounds: Grounds, clip: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Servers and a clip, and no service yet. At the end every job has ended and no invariant is broken."""
    grounds.start()
    folder = tmp_path / "mill"
    with (
        grounds.postgres.database("migrated", migrated) as database_url,
        grounds.redis.database() as broker_url,
        grounds.s3.bucket() as bucket_url,
    ):
        storage_url = f"file://{folder}/objects" if request.node.get_closest_marker("on_files") else bucket_url
        cluster = Cluster(folder, grounds, (database_url, broker_url, storage_url), clip)
        try:
            yield cluster
            grounds.start()
            cluster.until_ended()
            cluster.stop()
            check(History(cluster.database, cluster.store), cluster.folder)
        finally:
            cluster.close()
            grounds.start()


@pytest.fixture(autouse=True)
def recovery(request: pytest.FixtureRequest) -> Iterator[Recovery]:
    """Times a test's recovery for the published table."""
    recovery = Recovery()
    yield recovery
    cache = request.config.cache
    marker = request.node.get_closest_marker("fault")
    assert cache is not None
    seconds = None if recovery.seconds is None else round(recovery.seconds, 1)
    row = {"file": request.path.name, "fault": marker.args[0], "promise": marker.args[1], "seconds": seconds}
    measured: dict[str, Any] = cache.get(CACHE, {})
    cache.set(CACHE, measured | {request.node.name: row})
