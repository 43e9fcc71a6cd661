"""Who may write a resumable upload, and how far it is.

One request at a time holds an upload, whichever process it came to. It says so again every few seconds, and every
write of it names its hold: one that was taken for dead, and was not, writes nothing more. Storage cannot be fenced like
that, so each hold is promised a part's number of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

import structlog
from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from mill_api.resources import Resources
from mill_api.uploads.endpoints import UploadNotFound, expiry, owned_upload
from mill_common.clock import db_now
from mill_common.errors import TransientError
from mill_common.models import ReceivedPart, ResumableUpload, Upload
from mill_common.storage import UploadPart

log = structlog.get_logger(__name__)

LEASE_S = 10.0  # a process that died holds an upload no longer than this
BEAT_S = 2.5


class UploadLocked(TransientError):
    """Another request is writing this upload."""

    code = "upload_locked"
    status = 423
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


@dataclass
class Hold:
    """One request's right to write an upload."""

    wired: Resources
    upload: Upload
    token: str
    received: int
    tail_key: str | None
    tail_size: int
    number: int  # of the part that only this hold may write
    tried: bool = False  # whether storage was asked to write it, which it may still do

    def next_number(self) -> None:
        """Be promised another number, after this one was used.

        Raises:
            UploadLocked: Another request holds the upload by now.
        """
        self.wired.database.run(lambda session: self._write(session, next_part=self.number + 2))
        self.number, self.tried = self.number + 1, False

    def record(self, parts: Sequence[UploadPart], sizes: Sequence[int], tail: tuple[str, int] | None) -> None:
        """Acknowledge what storage holds: these parts more, and this tail in place of the one before.

        Raises:
            UploadLocked: Another request holds the upload by now; nothing was acknowledged.
        """
        key, size = tail or (None, 0)
        received = self.received - self.tail_size + sum(sizes) + size

        def work(session: Session) -> None:
            self._write(session, received=received, tail_key=key, tail_size=size)
            for part, length in zip(parts, sizes, strict=True):
                row = ReceivedPart(upload_id=self.upload.id, number=part.number, etag=part.etag, size=length)
                session.add(row)

        self.wired.database.run(work)
        self.received, self.tail_key, self.tail_size = received, key, size

    def complete(self, sha256: str) -> None:
        """Make it an upload like any other.

        Raises:
            UploadLocked: Another request holds the upload by now.
        """

        def work(session: Session) -> None:
            self._write(session, received=self.upload.size)
            done = update(Upload).where(col(Upload.id) == self.upload.id, col(Upload.completed_at).is_(None))
            session.execute(done.values(completed_at=db_now(), sha256=sha256, expires_at=expiry(session, self.wired)))

        self.wired.database.run(work)

    def parts(self) -> list[UploadPart]:
        """Every part, in order."""
        with self.wired.database.read() as session:
            mine = select(ReceivedPart).where(col(ReceivedPart.upload_id) == self.upload.id)
            rows = session.exec(mine.order_by(col(ReceivedPart.number))).all()
        return [UploadPart(row.number, row.etag) for row in rows]

    def beat(self) -> None:
        """Hold on. Raises as the others do."""
        self.wired.database.run(lambda session: self._write(session, held_until=db_now(LEASE_S)))

    def let_go(self) -> None:
        """Let others write, and hand back the number that was not used."""
        free = {"holder": None, "held_until": None, "next_part": self.number + self.tried}
        mine = update(ResumableUpload).where(self._is_mine())
        self.wired.database.run(lambda session: session.execute(mine.values(**free)))

    def _write(self, session: Session, **values: Any) -> None:
        written = session.execute(
            update(ResumableUpload).where(self._is_mine()).values(**values).returning(col(ResumableUpload.upload_id))
        )
        if written.first() is None:
            raise UploadLocked

    def _is_mine(self) -> ColumnElement[bool]:
        return (col(ResumableUpload.upload_id) == self.upload.id) & (col(ResumableUpload.holder) == self.token)


@contextmanager
def holding(wired: Resources, upload_id: UUID, owner_id: str) -> Iterator[Hold]:
    """Hold an upload until the block ends.

    Raises:
        UploadNotFound: There is none that is on its way.
        UploadLocked: Another request holds it.
    """
    hold = _taken(wired, upload_id, owner_id)
    done = threading.Event()
    beats = threading.Thread(target=_beat, args=(hold, done), name="upload-beats", daemon=True)
    beats.start()
    try:
        yield hold
    finally:
        done.set()
        beats.join()
        hold.let_go()


def look(session: Session, upload_id: UUID, owner_id: str) -> tuple[Upload, ResumableUpload]:
    """An owner's resumable upload.

    Raises:
        UploadNotFound: There is none, or it has expired.
    """
    row = owned_upload(session, upload_id, owner_id)
    state = session.get(ResumableUpload, upload_id)
    expired = select(Upload.id).where(
        col(Upload.id) == upload_id, col(Upload.completed_at).is_(None), col(Upload.expires_at) < db_now()
    )
    if state is None or session.exec(expired).first() is not None:
        raise UploadNotFound
    return row, state


def _taken(wired: Resources, upload_id: UUID, owner_id: str) -> Hold:
    token = uuid4().hex

    def work(session: Session) -> Hold:
        row, _ = look(session, upload_id, owner_id)
        free = or_(col(ResumableUpload.holder).is_(None), col(ResumableUpload.held_until) < db_now())
        taking = update(ResumableUpload).where(col(ResumableUpload.upload_id) == upload_id, free)
        values = {"holder": token, "held_until": db_now(LEASE_S), "next_part": col(ResumableUpload.next_part) + 1}
        columns = (ResumableUpload.received, ResumableUpload.tail_key, ResumableUpload.tail_size)
        taken = session.execute(
            taking.values(**values).returning(*map(col, columns), col(ResumableUpload.next_part))
        ).first()
        if taken is None:
            raise UploadLocked
        if row.completed_at is None:
            row.expires_at = expiry(session, wired)  # it expires when nobody goes on with it
            session.flush()
        received, tail_key, tail_size, next_part = taken
        return Hold(wired, row, token, received, tail_key, tail_size, next_part - 1)

    return wired.database.run(work)


def _beat(hold: Hold, done: threading.Event) -> None:
    while not done.wait(BEAT_S):
        try:
            hold.beat()
        except UploadLocked:
            return  # its next write will be refused
        except DBAPIError as error:
            log.warning("a beat failed", upload=str(hold.upload.id), error=type(error).__name__)
