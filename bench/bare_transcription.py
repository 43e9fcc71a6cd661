"""A bare call of faster-whisper's batched pipeline, with the model and options that the worker uses."""

from __future__ import annotations

import os
import sys

THREADS = len(os.sched_getaffinity(0))
os.environ["OMP_NUM_THREADS"] = str(THREADS)  # read when the library is loaded

from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: E402

from mill_common.settings import Settings  # noqa: E402
from mill_transcriber.models import locate  # noqa: E402


def main(speech: str) -> None:
    """Transcribe one file."""
    settings = Settings(whisper_model="tiny-digits")
    model = WhisperModel(locate("tiny-digits"), device="cpu", compute_type="int8", cpu_threads=THREADS)
    found, _ = BatchedInferencePipeline(model).transcribe(
        speech,
        batch_size=settings.whisper_batch,
        beam_size=settings.whisper_beam,
        word_timestamps=True,
        without_timestamps=False,
        condition_on_previous_text=False,
    )
    print(sum(len(segment.words or ()) for segment in found), "words")


if __name__ == "__main__":
    main(sys.argv[1])
