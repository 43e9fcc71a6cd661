"""`scripts/demo`: a server in a fresh folder, one video through it, everything that came out in a folder."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mill_client import Client, Job, JobStatus, MillClientError
from mill_client.cli.follow import Follower
from mill_client.cli.output import complain, say, size, table

SAMPLE = Path(__file__).parent / "sample" / "digits.mp4"
OUTPUT = Path("demo-output")
START_S = 60.0
STOP_S = 30.0
LOG_LINES = 20


def main(arguments: list[str]) -> int:
    """Process the sample, or the video given, and leave the outputs in `demo-output/`."""
    video = Path(arguments[0]) if arguments else SAMPLE
    if not video.is_file():
        complain(f"there is no file {str(video)!r}")
        return 2
    with tempfile.TemporaryDirectory(prefix="mill-demo-") as folder, _server(Path(folder)) as client:
        job = _process(client, video)
        if job.status is not JobStatus.COMPLETED:
            complain(f"the job is {job.status}: {job.error.message if job.error else 'no reason was given'}")
            return 1
        shutil.rmtree(OUTPUT, ignore_errors=True)
        client.download(job.job_id, OUTPUT)
    _show(job)
    return 0


def _process(client: Client, video: Path) -> Job:
    with Follower(as_json=False) as follower:
        job = client.submit(video, on_bytes=follower.uploading(video.name))
        follower.submitted(video.name, job)
        if sys.stderr.isatty():
            return follower.follow(client, video.name, job.job_id, timeout_s=None)
        return _follow_in_lines(client, job.job_id)


def _follow_in_lines(client: Client, job_id: str) -> Job:
    """What a bar shows on a terminal, for a pipe: a line for each task and stage."""
    said = ""
    for job in client.jobs.follow(job_id):
        doing = f"{job.progress.current_task or job.status}: {job.progress.current_stage or '-'}"
        if doing != said and not job.status.ended:
            said = doing
            say(f"{job.progress.overall_progress:3.0f} %  {doing}")
    return job


def _show(job: Job) -> None:
    files = sorted(path for path in OUTPUT.rglob("*") if path.is_file())
    streams = [path for path in files if OUTPUT / "hls" in path.parents]
    listed = [path for path in files if path not in streams]
    rows = [[str(path), size(path.stat().st_size)] for path in listed]
    if streams:
        total = sum(path.stat().st_size for path in streams)
        rows.append([f"{OUTPUT}/hls/master.m3u8", f"{size(total)} in {len(streams)} files"])
    table(["output", "size"], rows)
    transcript = OUTPUT / "transcript.txt"
    if transcript.exists():
        said = transcript.read_text(encoding="utf-8").strip()
        sys.stdout.write(f"\n{said or 'Nobody speaks.'}\n\n")
    sys.stdout.write(f"Done in {job.processing_time.get('total_seconds') or 0:.1f} s. Everything is in {OUTPUT}/.\n")


@contextmanager
def _server(folder: Path) -> Iterator[Client]:
    port, key = _free_port(), secrets.token_urlsafe(32)
    environment = {**os.environ, "MILL_ADMIN_KEY": key}
    for name in ("MILL_DATABASE_URL", "MILL_BROKER_URL", "MILL_STORAGE_URL", "MILL_PUBLIC_URL", "MILL_SCRATCH_DIR"):
        environment.pop(name, None)
    log = folder / "mill.log"
    mill = Path(sys.executable).with_name("mill")
    command = [str(mill), "up", "--host", "127.0.0.1", "--port", str(port), "--data", str(folder / "data")]
    with log.open("wb") as stream:
        server = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
    try:
        with Client(f"http://127.0.0.1:{port}", key) as client:
            _await_ready(client, server)
            say(f"A server runs at {client.url}.")
            yield client
    except BaseException:
        sys.stderr.writelines(log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[-LOG_LINES:])
        raise
    finally:
        _stop(server)


def _await_ready(client: Client, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while server.poll() is None:
        try:
            client.check_ready()
        except MillClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"mill up ended with {server.returncode}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
