"""Says what a failed child means: is the source at fault, or may trying again help?"""

from __future__ import annotations

import errno
import signal

from mill_common.errors import ChildFailed, MillError, SourceRefused, SourceTooLarge, SourceUnreadable
from mill_transcoder.process import Ended

# What a child says when the machine, and not the source, is at fault: in the words of glibc, of musl, of x264.
MACHINE = {
    "Cannot allocate memory": "it ran out of memory",
    "Out of memory": "it ran out of memory",
    "malloc of size": "it ran out of memory",
    "No space left on device": "the disk is full",
    "uota exceeded": "the disk quota is used up",
    "Resource temporarily unavailable": "the machine could not start another thread",
    "Error while opening encoder": "the encoder could not be opened",
    "Error encoding a frame": "the encoder failed",
}
MACHINE_CODES = {
    256 - errno.ENOMEM: "it ran out of memory",
    256 - errno.ENOSPC: "the disk is full",
    126: "it could not be started",
    127: "it could not be started",
}

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
    if any(sign in ended.stderr for sign in REFUSED):
        return SourceRefused("Files of this kind are not accepted.")
    # Before the machine is blamed: some versions say that they lack memory for one stream too many.
    if any(sign in ended.stderr for sign in TOO_LARGE):
        return SourceTooLarge("The source has more pixels or streams than are accepted.")
    if error := machine_at_fault(ended, program):
        return error
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
    reasons = [reason for sign, reason in MACHINE.items() if sign in ended.stderr]
    if reasons or ended.code in MACHINE_CODES:
        return ChildFailed(f"{program} failed: {reasons[0] if reasons else MACHINE_CODES[ended.code]}")
    return None
