"""Sources that are no videos but orders to read something else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from transcoder.clips import ffmpeg, picture
from transcoder.conftest import MakeJob

from mill_common.errors import PermanentError, SourceRefused
from mill_common.queue.types import NewTask
from mill_transcoder.commands import describe
from mill_transcoder.handlers import HANDLERS


@dataclass
class Listener:
    port: int
    callers: list[object] = field(default_factory=list)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that only remembers who called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = Listener(server.getsockname()[1])

        def accept() -> None:
            while True:
                try:
                    connection, caller = server.accept()
                except OSError:
                    return
                heard.callers.append(caller)
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
PLAYLISTS = {
    "hls": HLS,
    "hls after blank lines": "\n\n  " + HLS,
    "concat": "ffconcat version 1.0\nfile {}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{}</BaseURL></MPD>',
    "pls": "[playlist]\nFile1={}\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_named_mp4_is_refused_and_what_it_points_at_is_not_fetched(
    kind: str, tmp_path: Path, job_of: MakeJob, listener: Listener
) -> None:
    source = tmp_path / "video.mp4"
    source.write_text(PLAYLISTS[kind].format(f"http://127.0.0.1:{listener.port}/secret.ts"))
    with pytest.raises(SourceRefused, match="playlist"):
        job_of(source).run(HANDLERS)
    assert listener.callers == []


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_named_mp4_is_refused_and_no_local_file_is_read(kind: str, tmp_path: Path, job_of: MakeJob) -> None:
    secret = tmp_path / "secret.ts"
    ffmpeg(*picture(1), "-c:v", "mpeg2video", str(secret))
    for target in ("/etc/passwd", f"file://{secret}", secret.name):
        source = tmp_path / "video.mp4"
        source.write_text(PLAYLISTS[kind].format(target))
        job = job_of(source)
        with pytest.raises(SourceRefused, match="playlist"):
            job.run(HANDLERS)
        assert job.outputs == {}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_ffprobe_itself_opens_nothing_that_a_playlist_names(
    kind: str, tmp_path: Path, job_of: MakeJob, listener: Listener
) -> None:
    """The look at the first bytes is not what keeps us safe."""
    secret = tmp_path / "secret.ts"
    ffmpeg(*picture(1), "-c:v", "mpeg2video", str(secret))
    for target in (str(secret), f"http://127.0.0.1:{listener.port}/secret.ts"):
        source = tmp_path / "video.mp4"
        source.write_text(PLAYLISTS[kind].format(target))
        with pytest.raises(PermanentError):
            describe(job_of(source).task("probe"), source, reads_source=True)
    assert listener.callers == []


def test_a_source_with_a_name_full_of_tricks_is_only_a_file(tmp_path: Path, job_of: MakeJob) -> None:
    source = tmp_path / "-y concat:a|b %03d 'x' $(id);.mp4"
    ffmpeg(*picture(1, "160x90"), "-c:v", "libx264", f"file:{source}")
    job = job_of(source)
    job.run(HANDLERS)
    assert job.results["publish"].publish
    assert NewTask(name="probe", kind="probe") == job.tasks["probe"]
