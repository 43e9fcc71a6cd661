"""Tickets: they let a browser watch for a while, where a key in a URL would end up in logs and histories."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from mill_common.signing import SignatureInvalid, Signer

PURPOSE = "events"
ALL = "all"


@dataclass(frozen=True)
class Ticket:
    """What a ticket allows: one job, or all of the owner's; and which key it was made with."""

    key_id: UUID
    job_id: UUID | None


def make_ticket(signer: Signer, ticket: Ticket, expires_at: int) -> str:
    """A text for a URL, good until the Unix time `expires_at`."""
    what = ticket.job_id.hex if ticket.job_id else ALL
    return f"{expires_at}.{ticket.key_id.hex}.{what}.{signer.sign_until(expires_at, PURPOSE, ticket.key_id.hex, what)}"


def read_ticket(signer: Signer, text: str) -> Ticket:
    """What a text allows.

    Raises:
        SignatureInvalid: It is none of ours.
        LinkExpired: Its time has come.
    """
    expires_at, key, what, signature = (text.split(".", 3) + [""] * 3)[:4]
    if not (expires_at.isascii() and expires_at.isdigit()):
        raise SignatureInvalid
    signer.verify_until(signature, expires_at, PURPOSE, key, what)
    return Ticket(UUID(key), None if what == ALL else UUID(what))
