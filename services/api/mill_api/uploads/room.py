"""How large a source one may still hand in."""

from __future__ import annotations

from dataclasses import dataclass

from mill_common.errors import MillError, SourceTooLarge
from mill_common.quotas import Numbers, StorageQuotaExceeded, limits_of, usage_of
from mill_common.resources import Resources


class UploadTooLarge(SourceTooLarge):
    """The file is larger than this server takes."""

    status = 413


@dataclass(frozen=True)
class Room:
    """What an owner may hand in at this moment, in bytes."""

    source: int  # of one file
    quota: int | None  # of everything in storage
    used: int

    @property
    def limit(self) -> int:
        """The size of the largest file that is taken."""
        return self.source if self.quota is None else max(0, min(self.source, self.quota - self.used))

    def error(self, message: str) -> MillError:
        """Why a larger one is not taken."""
        if self.quota is None or self.limit == self.source:
            return UploadTooLarge(message)
        return StorageQuotaExceeded(message, Numbers(self.quota, self.used, self.limit + 1))

    def check(self, size: int) -> None:
        """Raise `UploadTooLarge` or `StorageQuotaExceeded` if a file of `size` bytes is not taken."""
        if size > self.source:
            raise UploadTooLarge(f"The file has {size} bytes; the limit is {self.source}.")
        if self.quota is not None and self.used + size > self.quota:
            raise StorageQuotaExceeded(
                f"The quota is {self.quota} bytes; {self.used} are used, so {size} more do not fit.",
                Numbers(self.quota, self.used, size),
            )


def room_of(wired: Resources, owner_id: str) -> Room:
    """What an owner may hand in now. Others may take of it meanwhile: `make_room` decides in the end."""
    with wired.database.read() as session:
        limits = limits_of(session, owner_id, wired.settings)
        used = 0 if limits.storage is None else usage_of(session, owner_id).stored_bytes
    return Room(limits.source_bytes, limits.storage, used)
