"""Reads what ffprobe says about a file. Anything may be missing there."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from mill_common.errors import SourceUnreadable
from mill_transcoder.media import AudioStream, MediaInfo, VideoStream
from mill_transcoder.rates import choose_rate, is_variable, parse_rate

Raw = Mapping[str, Any]
INTERLACED = frozenset({"tt", "bb", "tb", "bt"})


def read_media(described: Raw) -> MediaInfo:
    """The facts of a file; ends are the declared ones, and the duration is 0 if none is declared.

    Raises:
        SourceUnreadable: There is neither audio nor video.
    """
    form, streams = described.get("format", {}), described.get("streams", [])
    start_s = number(form.get("start_time"))
    duration_s = number(form.get("duration"))
    video = next((stream for stream in streams if _is_picture(stream)), None)
    sounds = [stream for stream in streams if _is_sound(stream)]
    if video is None and not sounds:
        raise SourceUnreadable("The source holds no audio or video that can be decoded.")
    audio = next((stream for stream in sounds if stream.get("disposition", {}).get("default")), (sounds or [None])[0])
    return MediaInfo(
        container=str(form.get("format_name", "")).split(",")[0],
        start_s=start_s,
        duration_s=duration_s,
        bit_rate=int(number(form.get("bit_rate"))) or None,
        audio_streams=len(sounds),
        video=_video(video, start_s, duration_s) if video else None,
        audio=_audio(audio, start_s, duration_s) if audio else None,
    )


def number(text: object) -> float:
    """A number as ffprobe writes it; 0 if it is absent or "N/A"."""
    try:
        return float(str(text))
    except ValueError:
        return 0.0


def _is_picture(stream: Raw) -> bool:
    if stream.get("codec_type") != "video" or not stream.get("codec_name"):
        return False
    # Cover art is a video stream of one frame.
    attached = stream.get("disposition", {})
    if attached.get("attached_pic") or attached.get("timed_thumbnails"):
        return False
    return bool(stream.get("width")) and bool(stream.get("height"))


def _is_sound(stream: Raw) -> bool:
    decodable = stream.get("codec_type") == "audio" and bool(stream.get("codec_name"))
    return decodable and number(stream.get("sample_rate")) > 0 and bool(stream.get("channels"))


def _span(stream: Raw, start_s: float, duration_s: float) -> tuple[float, float]:
    begins = number(stream["start_time"]) if "start_time" in stream else start_s
    lasts = number(stream.get("duration")) or duration_s
    return begins, begins + lasts


def _video(stream: Raw, start_s: float, duration_s: float) -> VideoStream:
    interlaced = stream.get("field_order") in INTERLACED
    average, base = parse_rate(stream.get("avg_frame_rate")), parse_rate(stream.get("r_frame_rate"))
    if interlaced and average and base and base == 2 * average:
        base = average  # counted in fields
    rotation = _rotation(stream)
    aspect = _aspect(stream)
    width, height = display_size(stream["width"], stream["height"], aspect, rotation)
    begins, ends = _span(stream, start_s, duration_s)
    return VideoStream(
        index=stream["index"],
        codec=stream["codec_name"],
        width=stream["width"],
        height=stream["height"],
        display_width=width,
        display_height=height,
        rotation=rotation,
        sample_aspect=f"{aspect.numerator}:{aspect.denominator}",
        pixel_format=stream.get("pix_fmt", "unknown"),
        rate=str(choose_rate(average, base)),
        source_rate=round(float(average), 3) if average else None,
        variable_rate=is_variable(average, base),
        interlaced=interlaced,
        transfer=_known(stream.get("color_transfer")),
        primaries=_known(stream.get("color_primaries")),
        matrix=_known(stream.get("color_space")),
        start_s=begins,
        end_s=ends,
    )


def _audio(stream: Raw, start_s: float, duration_s: float) -> AudioStream:
    begins, ends = _span(stream, start_s, duration_s)
    return AudioStream(
        index=stream["index"],
        codec=stream["codec_name"],
        channels=stream["channels"],
        sample_rate=int(number(stream["sample_rate"])),
        language=_known(stream.get("tags", {}).get("language")),
        start_s=begins,
        end_s=ends,
    )


def _known(value: str | None) -> str | None:
    return None if value in {None, "", "unknown", "und", "reserved"} else value


def _rotation(stream: Raw) -> int:
    turns = [side["rotation"] for side in stream.get("side_data_list", ()) if "rotation" in side]
    return round(-number(turns[0])) % 360 if turns else 0


def _aspect(stream: Raw) -> Fraction:
    width, _, height = str(stream.get("sample_aspect_ratio", "")).partition(":")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        return Fraction(1)
    aspect = Fraction(int(width), int(height))
    # Beyond eight to one it is a broken header, not a lens.
    return aspect if Fraction(1, 8) <= aspect <= 8 else Fraction(1)


def display_size(width: int, height: int, aspect: Fraction, rotation: int) -> tuple[int, int]:
    """Width and height in square pixels as a viewer sees them."""
    shown = max(1, round(width * aspect))
    return (height, shown) if rotation % 180 == 90 else (shown, height)
