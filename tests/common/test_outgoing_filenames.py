"""What a downloaded file is called."""

from __future__ import annotations

import pytest

from mill_common.outgoing import filename_of, safe_filename


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="holiday.mp4"', "holiday.mp4"),
        ("attachment; filename=holiday.mp4", "holiday.mp4"),
        ('inline; FILENAME = "a \\"b\\" c.mp4"', "a _b_ c.mp4"),
        ("attachment; filename*=UTF-8''na%C3%AFve%20caf%C3%A9.mp4", "naïve café.mp4"),
        ("attachment; filename*=iso-8859-1'en'%A3%20rates.mp4", "£ rates.mp4"),
        ("attachment; filename=\"plain.mp4\"; filename*=UTF-8''better.mp4", "better.mp4"),
        ("attachment; filename*=UTF-8''bad%FF.mp4", "bad\ufffd.mp4"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\videos\\\\clip.mp4"', "clip.mp4"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fcron.d", "cron.d"),
        ("attachment", "path.mp4"),
        ('attachment; filename=""', "path.mp4"),
        ('attachment; filename="..."', "path.mp4"),
        ("attachment; filename*=utf-16''x", "path.mp4"),
    ],
)
def test_the_header_names_the_file_if_it_can(header: str, name: str) -> None:
    assert filename_of(header, "/some/path.mp4", "source") == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/videos/my%20clip.mp4", "my clip.mp4"),
        ("/videos/", "source"),
        ("", "source"),
        ("/..", "source"),
        ("/a%2F..%2Fb.mp4", "b.mp4"),
        ("/%00%0d%0a.mp4", "mp4"),
        ("/%FF.mp4", "\ufffd.mp4"),
    ],
)
def test_the_path_names_it_otherwise(path: str, name: str) -> None:
    assert filename_of("", path, "source") == name


def test_characters_that_are_not_seen_are_removed() -> None:
    assert safe_filename("a\u202egpj.exe\x00\x1b\n.mp4") == "agpj.exe.mp4"


def test_a_long_name_is_shortened_before_its_suffix() -> None:
    name = safe_filename("ü" * 300 + ".mp4")

    assert name.endswith("ü.mp4")
    assert 190 < len(name.encode()) <= 200


def test_a_long_suffix_is_no_suffix() -> None:
    assert safe_filename("a." + "b" * 300) == "a." + "b" * 198
