"""The backup that docs/operations.md describes, made and restored."""

from __future__ import annotations

import re
import shlex
import subprocess
from contextlib import closing

from common.desk import Desk
from containers.compose import ROOT
from server_process import program
from servers import Postgres

from mill_common.database import Database
from mill_common.migrations import drift, is_current, migrate
from mill_common.models import Job


def _options(command: str) -> list[str]:
    """The options that the manual gives a program, without those that say where the database is."""
    text = (ROOT / "docs" / "operations.md").read_text()
    found = re.search(rf"{command} -U mill (.*?) ?[<>]mill\.dump", text)
    assert found is not None
    return [word for word in shlex.split(found[1]) if word not in {"-d", "mill"}]


def test_a_restored_database_goes_on_where_the_backup_was(postgres: Postgres) -> None:
    with postgres.database() as url, closing(Database(url)) as database:
        migrate(database)
        desk = Desk(database)
        job = desk.job("ada")
        claim = desk.claim()
        dump = subprocess.run([program("pg_dump"), *_options("pg_dump"), url], check=True, capture_output=True).stdout
        desk.job("bob")
        desk.finish(claim)
        database.close()

        restore = [str(program("pg_restore")), *_options("pg_restore"), "--dbname", url]
        subprocess.run(restore, input=dump, check=True, capture_output=True)

        assert is_current(database)
        assert drift(database) == []
        assert desk.count(Job) == 1
        assert desk.task(claim.task_id).status == "running"
        desk.crash(claim)  # nobody renews the lease that the backup holds
        desk.due(claim.task_id)
        assert desk.claim().job.id == job
