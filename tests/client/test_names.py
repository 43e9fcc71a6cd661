from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mill_client import OutputMissing, TransferFailed
from mill_client._names import choose, place
from mill_client.models import OutputFile

FILES = [
    OutputFile(name="360p.mp4", kind="rendition"),
    OutputFile(name="720p.mp4", kind="rendition"),
    OutputFile(name="audio.mp3", kind="audio"),
    OutputFile(name="transcript.txt", kind="transcript"),
    OutputFile(name="transcript.srt", kind="transcript"),
    OutputFile(name="hls/master.m3u8", kind="hls"),
    OutputFile(name="hls/360p.m3u8", kind="hls"),
    OutputFile(name="thumbnails/poster.jpg", kind="thumbnail"),
]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("360p.mp4", ["360p.mp4"]),
        ("360p", ["360p.mp4"]),
        ("audio", ["audio.mp3"]),
        ("poster", ["thumbnails/poster.jpg"]),
        ("transcript_srt", ["transcript.srt"]),
        ("transcript", ["transcript.txt", "transcript.srt"]),
        ("rendition", ["360p.mp4", "720p.mp4"]),
        ("hls", ["hls/master.m3u8", "hls/360p.m3u8"]),
        ("hls/", ["hls/master.m3u8", "hls/360p.m3u8"]),
        ("hls/360p.m3u8", ["hls/360p.m3u8"]),
        ("*.mp4", ["360p.mp4", "720p.mp4"]),
    ],
)
def test_a_name_means_the_files_one_expects(wanted: str, meant: list[str]) -> None:
    assert [file.name for file in choose(FILES, [wanted])] == meant


def test_nothing_wanted_means_everything() -> None:
    assert choose(FILES, []) == FILES


def test_a_file_meant_twice_or_listed_twice_is_chosen_once() -> None:
    assert [file.name for file in choose([*FILES, *FILES], ["360p", "*.mp4"])] == ["360p.mp4", "720p.mp4"]


def test_a_name_that_means_nothing_is_told_with_what_there_is() -> None:
    with pytest.raises(OutputMissing, match=r"'1080p'; it has 360p\.mp4, .*hls"):
        choose(FILES, ["360p", "1080p"])


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/../../x",
        "a/./x",
        "a//x",
        "/etc/passwd",
        "a/",
        "\\x",
        "..\\x",
        "C:x",
        "a\0b",
        "a\nb",
        "\x1b[2J",
        "a/..",
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TransferFailed):
        place(tmp_path, name)


def test_a_link_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "hls").symlink_to(tmp_path / "outside")
    with pytest.raises(TransferFailed, match="outside of"):
        place(tmp_path / "inside", "hls/master.m3u8")


@given(name=st.text(alphabet=st.sampled_from("ab./\\:~ \0\n*"), max_size=12))
def test_whatever_is_not_refused_stays_inside(name: str) -> None:
    folder = Path("/nowhere/folder")
    try:
        target = place(folder, name)
    except TransferFailed:
        return
    assert target.resolve().is_relative_to(folder)
    assert target != folder
