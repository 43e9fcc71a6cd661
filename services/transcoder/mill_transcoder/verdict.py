"""Says what a failed child means: is the source at fault, or may trying again help?"""

from __future__ import annotations

import signal

from mill_common.errors import ChildFailed, MillError, SourceRefused, SourceTooLarge, SourceUnreadable
from mill_transcoder.process import Ended

# What ffmpeg says when the machine, and not the source, is at fault; the last two are its exit statuses for these.
MACHINE = (
    "Cannot allocate memory",
    "No space left on device",
    "Resource temporarily unavailable",
    "Disk quota exceeded",
)
MACHINE_CODES = {256 - 12, 256 - 28}

REFUSED = ("ot on whitelist",)  # "Format not on whitelist", "Protocol 'http' not on whitelist"
TOO_LARGE = ("exceeds specified max pixel count", "exceeds the maximum", "Max_streams exceeded", "max_streams")

REASONS = (
    ("moov atom not found", "its index is missing, so the file is incomplete"),
    ("partial file", "it ends too early, so the file is incomplete"),
    ("File ended prematurely", "it ends too early, so the file is incomplete"),
    ("Unknown decoder", "its codec is not supported"),
    ("Decoder not found", "its codec is not supported"),
    ("no decoder found", "its codec is not supported"),
    ("Decode error rate", "too much of it is damaged"),
    ("Invalid data found", "it is damaged or of an unknown kind"),
    ("End of file", "it ends too early, so the file is incomplete"),
)


def failed_on_source(ended: Ended, program: str) -> MillError:
    """The error for a child that read the source and ended badly."""
    if error := machine_at_fault(ended, program):
        return error
    if any(sign in ended.stderr for sign in REFUSED):
        return SourceRefused("Files of this kind are not accepted.")
    if any(sign in ended.stderr for sign in TOO_LARGE):
        return SourceTooLarge("The source has more pixels or streams than are accepted.")
    reason = next((reason for sign, reason in REASONS if sign in ended.stderr), "it is damaged")
    return SourceUnreadable(f"The source cannot be decoded: {reason}.")


def failed_on_our_files(ended: Ended, program: str) -> MillError:
    """The error for a child that read only what we had made, and ended badly."""
    return machine_at_fault(ended, program) or ChildFailed(f"{program} failed with status {ended.code}")


def machine_at_fault(ended: Ended, program: str) -> MillError | None:
    """The error if a signal, memory or disk ended the child."""
    if ended.code == -signal.SIGXFSZ:
        return SourceTooLarge("An output would exceed the largest size that is allowed.")
    if ended.code < 0:
        return ChildFailed(f"{program} was ended by {signal.Signals(-ended.code).name}")
    for sign in MACHINE:
        if sign in ended.stderr:
            return ChildFailed(f"{program} failed: {sign[0].lower()}{sign[1:]}")
    if ended.code in MACHINE_CODES:
        return ChildFailed(f"{program} ran out of memory or disk")
    return None
