"""`python -m mill_common.migrations`: bring the database's schema up to date, and end."""

from __future__ import annotations

import structlog

from mill_common.database import Database
from mill_common.logs import configure_logs
from mill_common.migrations import latest_revision, migrate
from mill_common.settings import Settings

if __name__ == "__main__":
    settings = Settings()
    configure_logs(settings, "migrate")
    database = Database(settings.database_url)
    migrate(database)
    database.close()
    structlog.get_logger(__name__).info("migrated", revision=latest_revision())
