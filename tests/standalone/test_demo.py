"""`scripts/demo`, end to end, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
import srt
import webvtt
from pydantic import BaseModel
from standalone.running import MILL

from mill_common.settings import Settings
from mill_standalone.demo import SAMPLE
from mill_transcoder.binaries import find_binaries

SPOKEN = (SAMPLE.parent / "digits.txt").read_text().split()
LENGTH_S = 0.25  # how far an output's length may be from the source's


class Shape(BaseModel):
    """What ffprobe says of a file."""

    duration_s: float
    codecs: set[str]
    size: tuple[int, int] | None


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a run of the demo left."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "MILL_WHISPER_MODEL": "tiny-digits"}
    command = [str(MILL.with_name("python")), "-m", "mill_standalone.demo"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "demo-output"


def test_the_transcript_is_what_the_sample_says(outputs: Path) -> None:
    assert (outputs / "transcript.txt").read_text().split() == SPOKEN
    said = json.loads((outputs / "transcript.json").read_text())
    assert said["language"] == "en"
    assert [word["word"].strip() for word in said["words"]] == SPOKEN


def test_captions_parse_and_say_the_same(outputs: Path) -> None:
    captions = webvtt.read(str(outputs / "transcript.vtt"))
    subtitles = list(srt.parse((outputs / "transcript.srt").read_text()))
    assert " ".join(caption.text for caption in captions.captions).split() == SPOKEN
    assert " ".join(subtitle.content for subtitle in subtitles).split() == SPOKEN


@pytest.mark.parametrize(("name", "size"), [("360p.mp4", (640, 360)), ("720p.mp4", (1280, 720))])
def test_renditions_have_the_source_s_length_and_decode_without_an_error(
    outputs: Path, name: str, size: tuple[int, int]
) -> None:
    shape = _probe(outputs / name)
    assert shape.codecs == {"h264", "aac"}
    assert shape.size == size
    assert shape.duration_s == pytest.approx(_probe(SAMPLE).duration_s, abs=LENGTH_S)
    _decode(outputs / name)


def test_the_sound_to_download_has_the_source_s_length(outputs: Path) -> None:
    shape = _probe(outputs / "audio.mp3")
    assert shape.codecs == {"mp3"}
    assert shape.duration_s == pytest.approx(_probe(SAMPLE).duration_s, abs=LENGTH_S)
    _decode(outputs / "audio.mp3")


def test_the_master_playlist_lists_rungs_sound_captions_and_i_frames(outputs: Path) -> None:
    master = (outputs / "hls" / "master.m3u8").read_text()
    assert {"RESOLUTION=640x360", "RESOLUTION=1280x720"} <= set(master.replace("\n", ",").split(","))
    for wanted in ("CODECS=", "FRAME-RATE=", "#EXT-X-I-FRAME-STREAM-INF", "TYPE=SUBTITLES", "TYPE=AUDIO"):
        assert wanted in master


def test_every_playlist_is_complete_and_every_file_it_names_is_there(outputs: Path) -> None:
    length_s = _probe(SAMPLE).duration_s
    playlists = [path for path in (outputs / "hls").rglob("*.m3u8") if path.name != "master.m3u8"]
    assert playlists
    for playlist in playlists:
        lines = playlist.read_text().splitlines()
        named = [unquote(line) for line in lines if line and not line.startswith("#")]
        assert lines[-1] == "#EXT-X-ENDLIST"
        assert named
        assert all((playlist.parent / name).stat().st_size > 0 for name in named)
        lasts = sum(float(line.removeprefix("#EXTINF:").split(",")[0]) for line in lines if line.startswith("#EXTINF"))
        # Captions may end with the last word; everything else lasts as long as the source.
        assert lasts == pytest.approx(length_s, abs=LENGTH_S) or "captions" in playlist.name


@pytest.mark.parametrize("name", ["360p", "720p", "audio"])
def test_every_stream_plays_from_its_playlist(outputs: Path, name: str) -> None:
    _decode(outputs / "hls" / f"{name}.m3u8")


def test_thumbnails_are_pictures_and_their_index_parses(outputs: Path) -> None:
    index = webvtt.read(str(outputs / "thumbnails" / "thumbnails.vtt"))
    assert index.captions
    for cue in index.captions:
        sprite, _, place = cue.text.partition("#xywh=")
        assert (outputs / "thumbnails" / sprite).exists()
        assert len(place.split(",")) == 4
    assert _probe(outputs / "thumbnails" / "poster.jpg").size == (1280, 720)


def _probe(path: Path) -> Shape:
    shown = ["-show_entries", "format=duration:stream=codec_name,width,height", "-of", "json"]
    command = [find_binaries(Settings()).ffprobe, "-v", "error", *shown, str(path)]
    facts = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    sizes = [(stream["width"], stream["height"]) for stream in facts["streams"] if "width" in stream]
    return Shape(
        duration_s=float(facts["format"].get("duration", 0)),
        codecs={stream["codec_name"] for stream in facts["streams"]},
        size=sizes[0] if sizes else None,
    )


def _decode(path: Path) -> None:
    command = [
        find_binaries(Settings()).ffmpeg,
        "-nostdin",
        "-v",
        "error",
        "-xerror",
        "-i",
        str(path),
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
