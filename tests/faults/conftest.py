"""A cluster that a test may break, and the oracle that looks at it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.clip import make_clip
from faults.cluster import Cluster
from faults.grounds import Grounds, migrated
from faults.invariants import History, check
from faults.recovery import CACHE, Recovery
from servers import ServerMissing

HERE = Path(__file__).parent
TIMEOUT_S = 1800
PASSED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the time that its waiting may take."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note whether a test has passed."""
    report: pytest.TestReport = yield  # type: ignore[assignment]  # a wrapper gives what it is given
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report  # type: ignore[return-value]


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
    if request.node.stash.get(PASSED, False):
        _keep(request, None if recovery.seconds is None else round(recovery.seconds, 1))


def _keep(request: pytest.FixtureRequest, seconds: float | None) -> None:
    marker = request.node.get_closest_marker("fault")
    cache = request.config.cache
    assert cache is not None
    row = {"file": request.path.name, "test": request.node.name}
    row |= {"fault": marker.args[0], "promise": marker.args[1], "seconds": seconds}
    # A file a test, so that several runs at a time do not write over one another's.
    cache.set(f"{CACHE}/{request.path.stem}/{request.node.name}", row)
