"""Which jobs of an owner's: the filters that lists and exports share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement
from sqlmodel import col, select

from mill_api.fields import LINE, CollectionName, TimeInQuery
from mill_common.models import Job, JobLabel
from mill_common.states import JobStatus

MetadataFilter = Annotated[str, Field(pattern=r"^[^\x00=]{1,100}(=[^\x00]{0,255})?$")]


class DateRange(BaseModel):
    """When jobs were created."""

    # A filter that is misspelt must not find more than was asked for.
    model_config = ConfigDict(extra="forbid")

    from_date: TimeInQuery | None = Field(default=None, description="Created then or later.")
    to_date: TimeInQuery | None = Field(default=None, description="Created then or earlier.")


class Filters(DateRange):
    """Which jobs. One must meet every filter; of a filter given several times, `metadata` apart, any one value."""

    status: list[JobStatus] | None = Field(default=None, max_length=5, description="May be repeated.")
    priority: list[Annotated[int, Field(ge=0, le=9)]] | None = Field(
        default=None, max_length=10, description="May be repeated."
    )
    search: Annotated[str, Field(min_length=1, max_length=255, pattern=LINE)] | None = Field(
        default=None, description="Part of the file name, in any case."
    )
    collection: list[CollectionName] | None = Field(default=None, max_length=20, description="May be repeated.")
    metadata: list[MetadataFilter] | None = Field(
        default=None,
        max_length=5,
        description=(
            "`name=value` finds jobs whose metadata say so, `name` those that have it at all. May be repeated; all must"
            " hold. Values that are no text are written as JSON: `true`, `3`, `null`."
        ),
    )


def created_within(query: DateRange) -> list[ColumnElement[bool]]:
    """The conditions on when a job was created."""
    within = []
    if query.from_date is not None:
        within.append(col(Job.created_at) >= query.from_date)
    if query.to_date is not None:
        within.append(col(Job.created_at) <= query.to_date)
    return within


def conditions(owner_id: str, query: Filters) -> list[ColumnElement[bool]]:
    """The conditions on one owner's jobs."""
    wanted = [col(Job.owner_id) == owner_id, *created_within(query)]
    for column, values in (
        (col(Job.status), query.status),
        (col(Job.priority), query.priority),
        (col(Job.collection), query.collection),
    ):
        if values:
            wanted.append(column.in_(values))
    if query.search is not None:
        wanted.append(col(Job.filename).icontains(query.search, autoescape=True))
    return wanted + [_has_label(owner_id, *_split(entry)) for entry in query.metadata or ()]


def _split(entry: str) -> tuple[str, str | None]:
    name, has_value, value = entry.partition("=")
    return name, value if has_value else None


def _has_label(owner_id: str, name: str, value: str | None) -> ColumnElement[bool]:
    labelled = select(JobLabel.job_id).where(col(JobLabel.owner_id) == owner_id, col(JobLabel.name) == name)
    if value is not None:
        labelled = labelled.where(col(JobLabel.value) == value)
    return col(Job.id).in_(labelled)
