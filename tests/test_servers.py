"""The servers that other tests stand on."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis
from server_process import Server, ServerBroken, ServerMissing, program
from servers import S3, Postgres, Redis


def _query(url: str, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def test_a_fresh_database_is_empty_and_dropped_afterwards(postgres: Postgres) -> None:
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    with postgres.database() as url:
        assert _query(url, tables) == [(0,)]
        _query(url, "CREATE TABLE job (id int)")
        assert _query(url, tables) == [(1,)]
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(url)


def test_a_template_is_filled_once_and_copied(postgres: Postgres) -> None:
    filled: list[str] = []

    def prepare(url: str) -> None:
        filled.append(url)
        _query(url, "CREATE TABLE job AS SELECT 7 AS id")

    for _ in range(2):
        with postgres.database("with_a_job", prepare) as url:
            assert _query(url, "SELECT id FROM job") == [(7,)]
            _query(url, "DELETE FROM job")
    assert len(filled) == 1


def test_redis_hands_out_empty_databases(redis_server: Redis) -> None:
    with (
        redis_server.database() as first,
        redis_server.database() as second,
        redis.Redis.from_url(first) as client,
        redis.Redis.from_url(second) as other,
    ):
        client.set("key", "value")
        assert other.dbsize() == 0
    with redis.Redis.from_url(first) as client:
        assert client.dbsize() == 0


def test_redis_comes_back_on_its_port_after_a_kill() -> None:
    with Redis() as server, redis.Redis.from_url(server.url) as client:
        client.set("key", "value")
        server.stop(kill=True)
        with pytest.raises(redis.ConnectionError):
            client.ping()
        server.start()
        assert client.get("key") is None
        folder = server.folder
    assert not folder.exists()


def test_a_bucket_takes_an_object(s3: S3, s3_url: str) -> None:
    bucket = urlsplit(s3_url).path.strip("/")
    client = s3.client()
    assert list(client.list_objects(bucket)) == []
    client.put_object(bucket, "key", io.BytesIO(b"bytes"), 5)
    assert [found.object_name for found in client.list_objects(bucket)] == ["key"]


class _Failing(Server):
    """Starts a process that stays and one that ends."""

    def _launch(self) -> None:
        self.stays = self._run(["sleep", "1000"], "stays.log")
        self._run(["sh", "-c", "echo no room; exit 3"], "ends.log").wait_until(lambda: False)


def test_a_server_that_fails_to_start_leaves_nothing_behind() -> None:
    server = _Failing("failing")
    with pytest.raises(ServerBroken, match="ended with 3\nno room"), server:
        pass
    assert not server.folder.exists()
    assert not Path(f"/proc/{server.stays.pid}").exists()


def test_a_server_dies_with_the_process_that_started_it() -> None:
    started = (
        "import os; from pathlib import Path; from server_process import ServerProcess;"
        "p = ServerProcess(['sleep', '1000'], Path(os.environ['LOG'])); p.wait_until(lambda: "
        "Path(f'/proc/{p.pid}/comm').read_text() == 'sleep\\n'); print(p.pid, flush=True); os._exit(9)"
    )
    folder = Path(__file__).parent
    child = subprocess.run(
        [sys.executable, "-c", started],
        env={"PYTHONPATH": str(folder), "LOG": "/dev/null", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 9, child.stderr
    pid = Path(f"/proc/{child.stdout.strip()}/stat")
    while pid.exists() and pid.read_text().split()[2] != "Z":
        pass


def test_a_missing_program_says_how_to_get_it() -> None:
    with pytest.raises(ServerMissing, match=r"no-such-server is not installed: run scripts/bootstrap"):
        program("no-such-server")
