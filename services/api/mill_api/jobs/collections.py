"""The names under which an owner files jobs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlmodel import col
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import Time
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.models import Job


class CollectionQuery(BaseModel):
    """Which part of the list."""

    model_config = ConfigDict(extra="forbid")

    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=100, ge=1, le=500)


class CollectionView(BaseModel):
    """A collection. It is there as long as a job is in it."""

    name: str
    jobs: int
    latest_at: Time = Field(description="When the latest of its jobs was created.")


class CollectionList(BaseModel):
    """One page of collections, by name."""

    collections: list[CollectionView]
    total: int
    page: int
    per_page: int
    total_pages: int


@operation(tag="jobs", query=CollectionQuery, returns=CollectionList)
def list_collections(request: Request, query: CollectionQuery) -> CollectionList:
    """List collections with how many jobs are in each."""
    name = col(Job.collection)
    own = (col(Job.owner_id) == caller(request).owner_id, name.is_not(None))
    by_name: Any = select(name.label("name"), func.count().label("jobs"), func.max(Job.created_at).label("latest_at"))
    page = by_name.where(*own).group_by(name).order_by(name).limit(query.per_page)
    with resources(request).database.read() as session:
        total = session.scalar(select(func.count(func.distinct(name))).where(*own)) or 0
        rows = session.execute(page.offset((query.page - 1) * query.per_page)).all()
    return CollectionList(
        collections=[CollectionView(name=row.name, jobs=row.jobs, latest_at=row.latest_at) for row in rows],
        total=total,
        page=query.page,
        per_page=query.per_page,
        total_pages=-(-total // query.per_page),
    )
