"""Reads HLS playlists and says whether a stream is whole."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise

from mill_common.errors import OutputInvalid

MASTER = "master.m3u8"
ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
Attributes = Mapping[str, str]


@dataclass(frozen=True)
class Segment:
    """One entry of a media playlist."""

    duration_s: float
    uri: str


@dataclass(frozen=True)
class MediaPlaylist:
    """One stream's playlist."""

    segments: tuple[Segment, ...]
    target_s: float
    map_uri: str | None
    ended: bool

    @property
    def duration_s(self) -> float:
        """The sum of all entries."""
        return sum(segment.duration_s for segment in self.segments)

    @property
    def starts_s(self) -> tuple[float, ...]:
        """When each entry begins."""
        return tuple(accumulate((segment.duration_s for segment in self.segments[:-1]), initial=0.0))


@dataclass(frozen=True)
class MasterPlaylist:
    """The playlist of playlists. Each entry's URI is under "URI" among its attributes."""

    variants: tuple[Attributes, ...]
    media: tuple[Attributes, ...]
    iframes: tuple[Attributes, ...]


def parse_master(text: str) -> MasterPlaylist:
    """Raises OutputInvalid when the text is no playlist."""
    lines = _lines(text)
    following = dict(pairwise(lines))
    return MasterPlaylist(
        variants=tuple({**_attributes(at), "URI": following[at]} for at in _tagged(lines, "#EXT-X-STREAM-INF:")),
        media=tuple(_attributes(at) for at in _tagged(lines, "#EXT-X-MEDIA:")),
        iframes=tuple(_attributes(at) for at in _tagged(lines, "#EXT-X-I-FRAME-STREAM-INF:")),
    )


def parse_media(text: str) -> MediaPlaylist:
    """Raises OutputInvalid when the text is no playlist."""
    segments: list[Segment] = []
    duration_s = 0.0
    lines = _lines(text)
    for line in lines:
        if line.startswith("#EXTINF:"):
            duration_s = float(line.removeprefix("#EXTINF:").split(",")[0])
        elif not line.startswith("#"):
            segments.append(Segment(duration_s, line))
    maps = [_attributes(line).get("URI") for line in _tagged(lines, "#EXT-X-MAP:")]
    targets = [float(line.partition(":")[2]) for line in _tagged(lines, "#EXT-X-TARGETDURATION:")]
    return MediaPlaylist(
        tuple(segments), targets[0] if targets else 0.0, maps[0] if maps else None, "#EXT-X-ENDLIST" in lines
    )


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines[:1] != ["#EXTM3U"]:
        raise OutputInvalid("A playlist does not begin as one.")
    return lines


def _tagged(lines: list[str], tag: str) -> list[str]:
    return [line for line in lines if line.startswith(tag)]


def _attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in ATTRIBUTE.findall(line.partition(":")[2])}


@dataclass(frozen=True)
class Stream:
    """A packaged stream: how to read its texts, and the size of each of its files in bytes."""

    read: Callable[[str], str]
    files: Mapping[str, int]

    def playlist(self, uri: str) -> MediaPlaylist:
        """A media playlist of which every part is there.

        Raises:
            OutputInvalid: It is unfinished, or a file that it names is missing or empty.
        """
        self._must_hold(uri)
        playlist = parse_media(self.read(uri))
        if not playlist.ended or not playlist.segments:
            raise OutputInvalid(f"The playlist {uri} is not complete.")
        folder = posixpath.dirname(uri)
        named = [segment.uri for segment in playlist.segments] + ([playlist.map_uri] if playlist.map_uri else [])
        for name in named:
            self._must_hold(posixpath.join(folder, name))
        if any(round(segment.duration_s) > playlist.target_s for segment in playlist.segments):
            raise OutputInvalid(f"The playlist {uri} has a segment above its target duration.")
        return playlist

    def master(self) -> MasterPlaylist:
        """The master playlist."""
        self._must_hold(MASTER)
        return parse_master(self.read(MASTER))

    def _must_hold(self, name: str) -> None:
        if not self.files.get(name):
            raise OutputInvalid(f"The stream's file {name} is missing or empty.")


def check_stream(
    stream: Stream, *, rungs: Mapping[str, tuple[int, int]], video_s: float, audio_s: float | None
) -> None:
    """Hold a packaged stream against what was decoded.

    `rungs` maps each variant's playlist to its width and height; `audio_s` is None without sound.

    Raises:
        OutputInvalid: Something is missing, too short, or not aligned.
    """
    master = stream.master()
    sizes = {variant["URI"]: variant.get("RESOLUTION") for variant in master.variants}
    if sizes != {uri: f"{width}x{height}" for uri, (width, height) in rungs.items()}:
        raise OutputInvalid("The master playlist does not list the renditions.")
    starts = {_checked(stream, uri, video_s).starts_s for uri in sizes}
    keys = {_checked(stream, entry["URI"], video_s).starts_s for entry in master.iframes}
    if len(master.iframes) != len(sizes) or len(starts) != 1 or len(keys) != 1:
        raise OutputInvalid("The renditions' key frames are not aligned.")
    _check_sides(stream, master, audio_s)


def _check_sides(stream: Stream, master: MasterPlaylist, audio_s: float | None) -> None:
    sounds = [entry for entry in master.media if entry["TYPE"] == "AUDIO"]
    if len(sounds) != (0 if audio_s is None else 1):
        raise OutputInvalid("The master playlist does not list the sound.")
    for sound in sounds:
        assert audio_s is not None
        _checked(stream, sound["URI"], audio_s)
    for captions in (entry for entry in master.media if entry["TYPE"] == "SUBTITLES"):
        stream.playlist(captions["URI"])


def _checked(stream: Stream, uri: str, duration_s: float) -> MediaPlaylist:
    playlist = stream.playlist(uri)
    rounding_s = 0.0005 * len(playlist.segments)  # playlists count in milliseconds
    if abs(playlist.duration_s - duration_s) > 0.5 + rounding_s:
        raise OutputInvalid(f"The playlist {uri} covers {playlist.duration_s:.2f} s of {duration_s:.2f} s.")
    return playlist
