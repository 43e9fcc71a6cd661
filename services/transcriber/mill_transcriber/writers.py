"""A transcript as txt, srt, vtt and json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mill_transcriber.cues import Cue, cues
from mill_transcriber.transcript import Segment, Transcript

# What players take for markup: tags in angle brackets, and styling overrides in braces.
_SRT_SAFE = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})
_VTT_SAFE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True)
class Document:
    """One transcript file."""

    format: str
    content_type: str
    text: str

    @property
    def name(self) -> str:
        """The file's name."""
        return f"transcript.{self.format}"


def documents(transcript: Transcript, *, words: bool = True) -> list[Document]:
    """Every file that a transcript becomes."""
    captions = cues(transcript.segments, transcript.duration_s)
    return [
        Document("txt", "text/plain; charset=utf-8", txt(transcript)),
        Document("srt", "application/x-subrip; charset=utf-8", srt(captions)),
        Document("vtt", "text/vtt; charset=utf-8", vtt(captions)),
        Document("json", "application/json", as_json(transcript, words=words)),
    ]


def txt(transcript: Transcript) -> str:
    """One line for each stretch of speech."""
    return "".join(f"{' '.join(segment.text.split())}\n" for segment in transcript.segments)


def srt(captions: Iterable[Cue]) -> str:
    """SubRip. It has no escapes, so characters that players take for markup become their look-alikes."""
    return "".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_body(cue, _SRT_SAFE)}\n\n"
        for number, cue in enumerate(captions, start=1)
    )


def vtt(captions: Iterable[Cue]) -> str:
    """WebVTT. Source: https://www.w3.org/TR/webvtt1/"""
    blocks = (f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_body(cue, _VTT_SAFE)}\n" for cue in captions)
    return "WEBVTT\n" + "".join(blocks)


def as_json(transcript: Transcript, *, words: bool = True) -> str:
    """A superset of OpenAI's `verbose_json`; `language` is an ISO 639 code or null."""
    facts: dict[str, Any] = {
        "task": transcript.task,
        "language": transcript.language,
        "language_probability": transcript.language_probability,
        "duration": transcript.duration_s,
        "model": transcript.model,
        "text": transcript.text,
        "segments": [_segment(number, segment) for number, segment in enumerate(transcript.segments)],
    }
    if words:
        facts["words"] = [
            {"word": word.text.strip(), "start": word.start, "end": word.end, "probability": word.probability}
            for word in transcript.words
        ]
    return json.dumps(facts, ensure_ascii=False, indent=1) + "\n"


def _segment(number: int, segment: Segment) -> Mapping[str, Any]:
    return {
        "id": number,
        "seek": segment.seek,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _body(cue: Cue, safe: Mapping[int, str]) -> str:
    return "\n".join(line.translate(safe) for line in cue.lines)


def _clock(seconds: float, mark: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}{mark}{milliseconds:03d}"
