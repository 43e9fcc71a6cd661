"""What the watchdog's tests run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from watchdog.processes import Kennel

from mill_common.migrations import migrate
from mill_common.models import Owner
from mill_common.resources import Resources, open_resources
from mill_common.settings import Settings


@pytest.fixture(params=["one machine", "many machines"])
def resources(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Resources]:
    """SQLite and files, then PostgreSQL and S3."""
    many = request.param == "many machines"
    urls = {"database_url": "postgres_url", "storage_url": "s3_url"} if many else {}
    settings = Settings(data_dir=tmp_path, **{name: request.getfixturevalue(url) for name, url in urls.items()})
    with closing(open_resources(settings)) as opened:
        migrate(opened.database)
        with opened.database.write() as session:
            session.add(Owner(id="ada"))
        yield opened


@pytest.fixture
def kennel(postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Kennel]:
    """Watchdog processes on a fresh database."""
    with closing(Kennel(postgres_url, redis_url, tmp_path)) as kennel:
        migrate(kennel.database)
        yield kennel
