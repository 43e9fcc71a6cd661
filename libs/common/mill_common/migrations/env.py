"""Runs migrations on the connection that `mill_common.migrations` hands over."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from mill_common import models, workers  # noqa: F401 - fill the metadata
from mill_common.runs import models as run_models  # noqa: F401 - fill the metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
