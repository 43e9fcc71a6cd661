"""What steps are likely to take, by what they took on this system before.

Steps are told apart by kind, sources by the size of their picture and by their length, each in classes of powers of
two. For a class of which too few jobs are known stands the one around it: any length, then any picture, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import log2
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from mill_common.models import StepSpeed

ANY = -1
ENOUGH = 3  # jobs of a class, before it is believed

Class = tuple[int, int]  # of the picture, of the length


def classes_of(media: Mapping[str, Any]) -> list[Class]:
    """The classes that a source belongs to, the narrowest first."""
    picture = _power((media.get("width") or 0) * (media.get("height") or 0))
    return [(picture, _power(media.get("duration_s") or 0)), (picture, ANY), (ANY, ANY)]


def expected_seconds(session: Session, media: Mapping[str, Any] | None, kinds: Collection[str]) -> dict[str, float]:
    """How long all steps of a kind together are likely to take for a source, if anything is known of the kind."""
    length_s = (media or {}).get("duration_s")
    if not media or not length_s:
        return {}
    classes = classes_of(media)
    rows = session.scalars(select(StepSpeed).where(col(StepSpeed.kind).in_(kinds), _in_any(classes))).all()
    # The widest first, so that the narrowest has the last word.
    known = sorted(rows, key=lambda row: classes.index((row.picture, row.length)), reverse=True)
    return {row.kind: row.seconds_per_second * length_s for row in known}


def _in_any(classes: list[Class]) -> Any:
    pictures, lengths = zip(*classes, strict=True)
    # One more combination than there are classes, any picture of one length, which nobody measures.
    return col(StepSpeed.picture).in_(pictures) & col(StepSpeed.length).in_(lengths)


def _power(number: float) -> int:
    return int(log2(number)) if number >= 1 else 0
