"""Makes a database ready for the gateway."""

from __future__ import annotations

from mill_api.owners import ensure_admin_key
from mill_api.people.first_admin import ensure_first_admin
from mill_common.errors import MillError
from mill_common.migrations import is_current
from mill_common.resources import Resources


class SchemaOutdated(MillError):
    """The database's schema is not the one that this version needs; run `mill migrate`."""

    code = "schema_outdated"
    status = 503


def prepare(resources: Resources) -> None:
    """Make sure of an admin key, and of the first administrator.

    Raises:
        SchemaOutdated: The database has to be migrated first.
        AdminKeyRefused: `MILL_ADMIN_KEY` does not do as a key.
    """
    if not is_current(resources.database):
        raise SchemaOutdated
    ensure_admin_key(resources.database, resources.settings)
    ensure_first_admin(resources.database, resources.settings)
