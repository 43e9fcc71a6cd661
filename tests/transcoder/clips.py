"""One small clip for every kind of input."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

from mill_common.settings import Settings
from mill_transcoder.binaries import find_binaries

Get = Callable[[str], Path]
# The wheel's own build makes the clips, whichever one is being tested.
FFMPEG = find_binaries(Settings(ffmpeg=None, ffprobe=None)).ffmpeg
FAST = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25"]
AAC = ["-c:a", "aac", "-b:a", "64k"]
PQ = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-color_range", "tv"]
TO_PQ = "scale=in_color_matrix=bt709:in_primaries=bt709:in_transfer=bt709:in_range=tv"
TO_PQ += ":out_color_matrix=bt2020nc:out_primaries=bt2020:out_transfer=smpte2084:out_range=tv,format=yuv420p10le"


def ffmpeg(*arguments: str) -> bytes:
    done = subprocess.run(
        [FFMPEG, "-nostdin", "-v", "error", "-y", *arguments], capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def picture(seconds: float = 3, size: str = "320x180", rate: str = "25") -> list[str]:
    return ["-f", "lavfi", "-t", str(seconds), "-i", f"testsrc2=s={size}:r={rate}"]


def tone(seconds: float = 3, rate: int = 44100) -> list[str]:
    return ["-f", "lavfi", "-t", str(seconds), "-i", f"sine=f=440:r={rate}"]


def made(name: str, *arguments: str) -> Callable[[Path, Get], Path]:
    def make(folder: Path, get: Get) -> Path:
        ffmpeg(*arguments, str(folder / name))
        return folder / name

    return make


def from_clip(source: str, name: str, *arguments: str, before: tuple[str, ...] = ()) -> Callable[[Path, Get], Path]:
    def make(folder: Path, get: Get) -> Path:
        ffmpeg(*before, "-i", str(get(source)), *arguments, str(folder / name))
        return folder / name

    return make


def piped(name: str, *arguments: str) -> Callable[[Path, Get], Path]:
    """Written where nothing can be filled in afterwards, so without a duration."""

    def make(folder: Path, get: Get) -> Path:
        (folder / name).write_bytes(ffmpeg(*arguments, "pipe:1"))
        return folder / name

    return make


def cut_short(source: str, name: str, share: float) -> Callable[[Path, Get], Path]:
    def make(folder: Path, get: Get) -> Path:
        whole = get(source).read_bytes()
        (folder / name).write_bytes(whole[: int(len(whole) * share)])
        return folder / name

    return make


def garbled(source: str, name: str, begin: float, end: float) -> Callable[[Path, Get], Path]:
    """Random bytes in place of a share of the file."""

    def make(folder: Path, get: Get) -> Path:
        whole = bytearray(get(source).read_bytes())
        first, last = int(len(whole) * begin), int(len(whole) * end)
        whole[first:last] = random.Random(7).randbytes(last - first)
        (folder / name).write_bytes(whole)
        return folder / name

    return make


def text(name: str, content: str) -> Callable[[Path, Get], Path]:
    def make(folder: Path, get: Get) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


def with_cover(folder: Path, get: Get) -> Path:
    cover = folder / "cover.jpg"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=600x600", "-frames:v", "1", str(cover))
    target = folder / "cover.mp4"
    streams = [
        "-map",
        "1",
        "-map",
        "0",
        "-c",
        "copy",
        "-disposition:v:0",
        "attached_pic",
        "-disposition:v:1",
        "default",
    ]
    ffmpeg("-i", str(get("plain")), "-i", str(cover), *streams, str(target))
    return target


def song_with_cover(folder: Path, get: Get) -> Path:
    cover = folder / "song-cover.jpg"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=600x600", "-frames:v", "1", str(cover))
    target = folder / "song.mp3"
    streams = ["-map", "0", "-map", "1", "-c:a", "libmp3lame", "-c:v", "copy", "-disposition:v", "attached_pic"]
    ffmpeg(*tone(3), "-i", str(cover), *streams, str(target))
    return target


def joined(folder: Path, get: Get) -> Path:
    """Two recordings end to end: time begins anew in the middle."""
    (folder / "joined.ts").write_bytes(get("transport").read_bytes() * 2)
    return folder / "joined.ts"


REORDERED = ["-c:v", "libx264", "-preset", "fast", "-g", "120", "-keyint_min", "120", "-bf", "3"]
HALVES = ["-f", "lavfi", "-i", "color=red:s=320x90:r=25", "-f", "lavfi", "-i", "color=blue:s=320x90:r=25"]
UNEVEN = "select='lt(n,40)+not(mod(n,7))'"

CLIPS: dict[str, Callable[[Path, Get], Path]] = {
    "plain": made("plain.mp4", *picture(), *tone(), *FAST, *AAC, "-movflags", "+faststart"),
    "no_audio": made("no_audio.mp4", *picture(), *FAST),
    "audio_only": made("audio_only.m4a", *tone(), *AAC),
    "song_with_cover": song_with_cover,
    "portrait": made("portrait.mp4", *picture(size="180x320"), *tone(), *FAST, *AAC),
    "halves": made("halves.mp4", *HALVES, "-filter_complex", "vstack", "-t", "2", *FAST),
    "rotated": from_clip("halves", "rotated.mp4", "-c", "copy", before=("-display_rotation", "90")),
    "anamorphic": made("anamorphic.mp4", *picture(size="240x180"), *FAST, "-vf", "setsar=4/3"),
    "odd_sizes": made("odd.mkv", *picture(size="321x181"), "-c:v", "mpeg4", "-q:v", "5"),
    "variable_rate": made(
        "variable.mkv", *picture(10.2, "160x90", "30"), *tone(10.2), *FAST, *AAC, "-vf", UNEVEN, "-fps_mode", "vfr"
    ),
    "no_duration": piped("no_duration.mkv", *picture(10.2, "160x90"), *tone(10.2), *FAST, *AAC, "-f", "matroska"),
    "late_audio": made("late.mkv", *picture(4), "-itsoffset", "1.5", *tone(2.5), *FAST, *AAC),
    "late_video": made("late_video.mkv", "-itsoffset", "1", *picture(3), *tone(4), *FAST, *AAC),
    "late_audio_ts": made("late.ts", *picture(4), "-itsoffset", "1.5", *tone(2.5), *FAST, *AAC),
    "late_video_ts": made("late_video.ts", "-itsoffset", "1", *picture(3), *tone(4), *FAST, *AAC),
    "cover_art": with_cover,
    "ten_bit": made("ten_bit.mp4", *picture(), *FAST, "-pix_fmt", "yuv420p10le"),
    "four_four_four": made("444.mp4", *picture(), *FAST, "-pix_fmt", "yuv444p"),
    "white_hdr": made(
        "hdr.mp4", "-f", "lavfi", "-t", "2", "-i", "color=white:s=320x180:r=25", "-vf", TO_PQ, *FAST, *PQ
    ),
    # The header of this one announces sound, but nothing is ever heard.
    "silent_track": made(
        "silent.mkv", *picture(), *tone(), *FAST, *AAC, "-bsf:a", "noise=drop=1", "-map", "0:v", "-map", "1:a"
    ),
    "tiny": made("tiny.mp4", *picture(size="64x48"), *tone(), *FAST, *AAC),
    "fast": made("fast.mp4", *picture(2, rate="120"), *FAST),
    "one_frame": made("one_frame.mp4", *picture(0.04), *FAST),
    "interlaced": made(
        "interlaced.ts",
        *picture(3, rate="50"),
        *tone(),
        "-vf",
        "tinterlace=interleave_top,setfield=tff",
        *["-c:v", "mpeg2video", "-q:v", "4", "-flags", "+ilme+ildct", "-c:a", "mp2"],
    ),
    "ntsc": made("ntsc.mp4", *picture(10.2, "160x90", "30000/1001"), *tone(10.2), *FAST, *AAC),
    "slow_rate": made("slow.mp4", *picture(10.2, "160x90", "12.5"), *FAST),
    # One picture every five seconds, fewer than there are chunks.
    "sparse": made("sparse.mkv", *picture(16, "160x90"), *FAST, "-vf", "select='not(mod(n,125))'", "-fps_mode", "vfr"),
    "reordered": made("reordered.mp4", *picture(10.2, "160x90"), *REORDERED),
    "old_avi": made("old.avi", *picture(10.2, "160x90"), *tone(10.2), *REORDERED, "-c:a", "libmp3lame"),
    "flash": made("flash.flv", *picture(10.2, "160x90"), *REORDERED),
    "joined": joined,
    "full_range": made("full_range.mp4", *picture(2), "-c:v", "mjpeg", "-q:v", "5"),
    "transport": made("transport.ts", *picture(10.2, "160x90"), *tone(10.2), *FAST, "-g", "80", *AAC),
    "truncated_mp4": cut_short("plain", "truncated.mp4", 0.4),
    "matroska": from_clip("plain", "plain.mkv", "-c", "copy"),
    "truncated_mkv": cut_short("matroska", "truncated.mkv", 0.4),
    "index_last": from_clip("plain", "index_last.mp4", "-c", "copy"),
    "without_index": cut_short("index_last", "without_index.mp4", 0.6),
    "garbled_mp4": garbled("plain", "garbled.mp4", 0.1, 1.0),
    "scratched": garbled("reordered", "scratched.mp4", 0.5, 0.53),
    "noise": made("noise.mp4", *picture(1), *FAST),
    "garbled_whole": garbled("noise", "garbled_whole.mp4", 0.0, 1.0),
    "empty": text("empty.mp4", ""),
    "words": text("words.mp4", "This is not a video.\n" * 50),
    "subtitles": text("subtitles.mkv", "1\n00:00:00,000 --> 00:00:02,000\nHello\n"),
}
