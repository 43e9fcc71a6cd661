from __future__ import annotations

import pytest
from transcoder.conftest import Clip, MakeJob

from mill_common.errors import ChildFailed, MillError, SourceRefused, SourceTooLarge, SourceUnreadable
from mill_transcoder.handlers import HANDLERS
from mill_transcoder.process import Ended
from mill_transcoder.verdict import failed_on_our_files, failed_on_source


def ended(stderr: str, code: int = 1) -> Ended:
    return Ended(code=code, stdout="", stderr=stderr, cpu_s=0.0, peak_memory=0)


@pytest.mark.parametrize(
    ("stderr", "code", "expected"),
    [
        ("av_interleaved_write_frame(): No space left on device", 228, ChildFailed),
        ("[aac] Cannot allocate memory", 244, ChildFailed),
        ("[fc#0] Terminating thread with return code -12 (Out of memory)", 187, ChildFailed),
        ("x264 [error]: malloc of size 959488 failed", 187, ChildFailed),
        ("", 244, ChildFailed),
        ("", -9, ChildFailed),
        ("", -11, ChildFailed),
        ("", -25, SourceTooLarge),
        ("[mov @ 0x5] moov atom not found", 1, SourceUnreadable),
        ("[hls @ 0x5] Format not on whitelist 'mov,mp4'", 1, SourceRefused),
        ("Protocol 'http' not on whitelist 'file,pipe'!", 1, SourceRefused),
        ("something never heard of", 1, SourceUnreadable),
    ],
)
def test_what_a_failure_on_the_source_means(stderr: str, code: int, expected: type[MillError]) -> None:
    error = failed_on_source(ended(stderr, code), "ffmpeg")
    assert type(error) is expected
    assert "0x5" not in error.message


def test_a_failure_on_our_own_files_is_never_the_sources_fault() -> None:
    assert type(failed_on_our_files(ended("Invalid data found"), "packager")) is ChildFailed


@pytest.mark.parametrize("megabytes", [40, 56, 62])
def test_too_little_memory_is_the_machines_fault(megabytes: int, clip: Clip, job_of: MakeJob) -> None:
    job = job_of(clip("plain"))
    job.run({"probe": HANDLERS["probe"]})
    small = job_of(clip("plain"), child_memory=megabytes * 2**20)
    small.facts, small.results = job.facts, job.results
    with pytest.raises(ChildFailed):
        HANDLERS["encode"](small.task("encode-000", {"chunk": 0}))
