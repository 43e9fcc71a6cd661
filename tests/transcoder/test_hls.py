from __future__ import annotations

from collections.abc import Callable

import pytest

from mill_common.errors import OutputInvalid
from mill_transcoder.hls import MediaPlaylist, Segment, Stream, check_stream, parse_master, parse_media

MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,URI="audio.m3u8",GROUP-ID="audio",NAME="a, b",CHANNELS="2"

#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS="avc1.42c01e,mp4a.40.2",RESOLUTION=640x360,AUDIO="audio"
360p.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9,RESOLUTION=640x360,URI="keys.m3u8"
"""
PICTURE = """#EXTM3U
#EXT-X-TARGETDURATION:6
#EXT-X-MAP:URI="v/init.mp4"
#EXTINF:6.000,
v/1.m4s
#EXTINF:4.000,
v/2.m4s
#EXT-X-ENDLIST
"""
SOUND = PICTURE.replace("v/", "a/")
KEYS = PICTURE.replace("#EXT-X-TARGETDURATION", "#EXT-X-I-FRAMES-ONLY\n#EXT-X-TARGETDURATION")
TEXTS = {"master.m3u8": MASTER, "360p.m3u8": PICTURE, "audio.m3u8": SOUND, "keys.m3u8": KEYS}
FILES = dict.fromkeys([*TEXTS, *(f"{f}/{n}" for f in "va" for n in ("init.mp4", "1.m4s", "2.m4s"))], 9)


def check(texts: dict[str, str], files: dict[str, int], video_s: float = 10, audio_s: float | None = 10) -> None:
    stream = Stream(read=texts.__getitem__, files=files)
    check_stream(stream, rungs={"360p.m3u8": (640, 360)}, video_s=video_s, audio_s=audio_s)


def test_a_whole_stream_passes() -> None:
    check(TEXTS, FILES)


def test_a_media_playlist_is_read() -> None:
    playlist = parse_media(PICTURE)
    assert playlist == MediaPlaylist((Segment(6.0, "v/1.m4s"), Segment(4.0, "v/2.m4s")), 6.0, "v/init.mp4", True)
    assert (playlist.duration_s, playlist.starts_s) == (10.0, (0.0, 6.0))


def test_a_master_playlist_is_read_with_commas_inside_quotes() -> None:
    master = parse_master(MASTER)
    assert master.variants[0]["CODECS"] == "avc1.42c01e,mp4a.40.2"
    assert master.variants[0]["URI"] == "360p.m3u8"
    assert master.media[0]["NAME"] == "a, b"
    assert master.iframes[0]["URI"] == "keys.m3u8"


@pytest.mark.parametrize("missing", list(FILES))
def test_a_stream_without_this_file_is_not_whole(missing: str) -> None:
    with pytest.raises(OutputInvalid, match=missing):
        check(TEXTS, {name: size for name, size in FILES.items() if name != missing})


@pytest.mark.parametrize("empty", list(FILES))
def test_a_stream_with_this_file_empty_is_not_whole(empty: str) -> None:
    with pytest.raises(OutputInvalid, match=empty):
        check(TEXTS, {**FILES, empty: 0})


Change = Callable[[str], str]


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("360p.m3u8", lambda text: text.replace("#EXT-X-ENDLIST\n", ""), "not complete"),
        ("audio.m3u8", lambda text: text.replace("#EXTINF:4.000", "#EXTINF:1.000"), "covers 7.00 s of 10.00 s"),
        ("360p.m3u8", lambda text: text.replace("DURATION:6", "DURATION:5"), "target duration"),
        ("360p.m3u8", lambda text: "", "does not begin"),
        ("keys.m3u8", lambda text: text.replace("#EXTINF:6.000,\nv/1.m4s\n", ""), "covers"),
        ("master.m3u8", lambda text: text.replace("640x360,AUDIO", "640x362,AUDIO"), "renditions"),
        ("master.m3u8", lambda text: text.replace("TYPE=AUDIO", "TYPE=VIDEO"), "sound"),
        ("master.m3u8", lambda text: text.replace("#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-OTHER"), "key frames"),
    ],
)
def test_a_flawed_stream_is_found_out(name: str, change: Change, reason: str) -> None:
    with pytest.raises(OutputInvalid, match=reason):
        check({**TEXTS, name: change(TEXTS[name])}, FILES)


def test_a_stream_shorter_than_what_was_decoded_is_found_out() -> None:
    with pytest.raises(OutputInvalid, match="covers"):
        check(TEXTS, FILES, video_s=12)


def test_sound_where_there_should_be_none_is_found_out() -> None:
    with pytest.raises(OutputInvalid, match="sound"):
        check(TEXTS, FILES, audio_s=None)
