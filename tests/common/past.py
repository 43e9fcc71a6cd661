"""A past that never was, of random jobs: what figures are compared on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from mill_common.database import Database
from mill_common.ids import first_of
from mill_common.models import Attempt, Job, Outcome, Owner, Task, Upload
from mill_common.states import JobStatus, TaskStatus

CODES = {Outcome.FAILED: "no_video", Outcome.LEASE_EXPIRED: "lease_expired"}
ENDS = {
    Outcome.COMPLETED: (JobStatus.COMPLETED, TaskStatus.COMPLETED),
    Outcome.FAILED: (JobStatus.FAILED, TaskStatus.FAILED),
    Outcome.LEASE_EXPIRED: (JobStatus.FAILED, TaskStatus.FAILED),
    Outcome.CANCELLED: (JobStatus.CANCELLED, TaskStatus.CANCELLED),
}


@dataclass(frozen=True)
class Seen:
    """An attempt that ended, as somebody would have noted it down."""

    job_id: UUID
    kind: str
    outcome: Outcome
    code: str
    ended_at: datetime
    took_s: float


@dataclass
class Past:
    """Writes rows, and notes them down on its own."""

    database: Database
    random: Random
    at: datetime  # so far it has come
    seen: list[Seen] = field(default_factory=list)
    jobs: list[UUID] = field(default_factory=list)

    def go_on(self, most_s: float) -> None:
        """Let some time pass, in which a job comes and perhaps ends."""
        began = self.at
        self.at += timedelta(seconds=self.random.uniform(1, most_s))
        outcome = self.random.choice([*ENDS, Outcome.COMPLETED, None])
        with self.database.write() as session:
            if session.get(Owner, "ada") is None:
                session.add(Owner(id="ada"))
                session.flush()
            self._write(session, began, outcome)

    def _write(self, session: Session, began: datetime, outcome: Outcome | None) -> None:
        number = UUID(int=first_of(began).int + len(self.jobs))
        upload = Upload(id=number, owner_id="ada", filename="a", content_type="b", object_key=str(number), size=1000)
        job_status, status = ENDS[outcome] if outcome else (JobStatus.PROCESSING, TaskStatus.QUEUED)
        job = Job(owner_id="ada", status=job_status, filename="a", duration_s=12.5, stored_bytes=7, created_at=began)
        job.completed_at = self.at if outcome else None
        session.add_all([upload, job])
        session.flush()
        self.jobs.append(job.id)
        for kind in self.random.sample(["probe", "audio", "encode"], k=self.random.randint(1, 3)):
            task = Task(job_id=job.id, owner_id="ada", queue="transcode", kind=kind, name=kind, status=status)
            session.add(task)
            session.flush()
            if outcome is not None:
                self._attempt(session, job.id, task, outcome)

    def _attempt(self, session: Session, job_id: UUID, task: Task, outcome: Outcome) -> None:
        took = timedelta(milliseconds=self.random.randint(1, 400_000))
        seen = Seen(job_id, task.kind, outcome, CODES.get(outcome, ""), self.at, took.total_seconds())
        self.seen.append(seen)
        attempt = Attempt(task_id=task.id, epoch=1, worker="w", outcome=outcome, error_code=seen.code or None)
        attempt.started_at, attempt.ended_at = self.at - took, self.at
        attempt.cpu_s, attempt.peak_memory = seen.took_s, len(self.seen)
        attempt.bytes_in, attempt.bytes_out = 3, 5
        session.add(attempt)

    def some_job(self) -> UUID | None:
        """One that has ended and is there still."""
        with self.database.read() as session:
            ended = select(col(Job.id)).where(col(Job.completed_at).is_not(None)).order_by(col(Job.id))
            found = list(session.scalars(ended))
        return self.random.choice(found) if found else None
