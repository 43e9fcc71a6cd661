"""Builds every image and runs the main job through them: `tests/containers/check`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from containers.compose import OURS, ROOT
from containers.engine import Engine, EngineFailed
from containers.stack import KEY, Stack, running_stack
from servers import Redis
from waiting import WAIT_S, wait_for

from mill_client import Client, MillClientError
from mill_standalone.demo import SAMPLE

SPOKEN = (SAMPLE.parent / "digits.txt").read_text().split()
WANTED = {"360p.mp4", "720p.mp4", "audio.mp3", "hls/master.m3u8", "thumbnails/poster.jpg", "transcript.vtt"}
# Run in every container. What it prints is compared with what a container may be and hold.
LOOK = """
import importlib.metadata, json, os, pathlib, shutil
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
def writable(folder):
    try: pathlib.Path(folder, "probe").touch()
    except OSError: return False
    return True
print(json.dumps({
    "user": os.getuid(), "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": int(status["NoNewPrivs"]), "writable": [f for f in ("/", "/opt/mill", "/data") if writable(f)],
    "tools": [name for name in ("uv", "gcc", "make") if shutil.which(name)],
    "guards": [name for name in ("prlimit", "setpriv") if shutil.which(name)],
    "members": sorted(d.name for d in importlib.metadata.distributions() if d.name.startswith("mill")),
}))
"""


def main() -> int:
    """Say what is done as it is done."""
    arguments = argparse.ArgumentParser(prog="tests/containers/check", description=__doc__)
    arguments.add_argument("--base", help="start from this image instead of looking for one")
    arguments.add_argument("--without-gpu", action="store_true", help="leave out the image with the CUDA library")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="mill-containers-") as folder:
        engine = Engine(Path(folder))
        try:
            images = build(engine, given.base or engine.base(), with_gpu=not given.without_gpu)
            with running_stack(engine, images, Path(folder)) as (stack, redis):
                run(stack, redis)
        except EngineFailed as failed:
            say(f"FAILED: {failed}")
            return 1
    say("every image was built, and the job went through them")
    return 0


def build(engine: Engine, base: str, *, with_gpu: bool) -> dict[str, str]:
    """Every image, by target."""
    say(f"base: {base}, {engine.size(base) / 1e6:.0f} MB")
    images = {}
    for target in (*OURS, *(["transcriber-gpu"] if with_gpu else [])):
        began = time.monotonic()
        images[target] = engine.build(ROOT, target, base)
        more = (engine.size(images[target]) - engine.size(base)) / 1e6
        say(f"built {target}: {more:.0f} MB over its base, {time.monotonic() - began:.0f} s")
    if with_gpu:
        load_cuda(engine, images["transcriber-gpu"])
    return images


def load_cuda(engine: Engine, image: str) -> None:
    """Fail unless CTranslate2 and the CUDA library that it loads by name are there. Needs no card."""
    program = "import ctranslate2, ctypes; ctypes.CDLL('libcublas.so.12')"
    engine.podman("run", "--rm", "--network=host", "--entrypoint=python", image, "-c", program)
    say("the CUDA library is found")


def run(stack: Stack, redis: Redis) -> None:
    """The main job, by containers that are as closed as compose.yaml says."""
    stack.migrate()
    stack.migrate()  # finds nothing to do
    say("migrated, twice")
    for service, count in {"api": 1, "transcoder": 2, "transcriber": 1, "watchdog": 1}.items():
        for number in range(1, count + 1):
            stack.start(service, number)
    for name in stack.containers:
        wait_for(partial(stack.is_healthy, name))
        look_at(stack, name)
    say(f"{len(stack.containers)} containers are healthy, unprivileged, read-only and hold only what is theirs")
    send_a_job(stack)
    lose_redis(stack, redis)
    statuses = {name: stack.stop(name) for name in stack.containers}
    assert set(statuses.values()) == {0}, statuses
    say("all ended with status 0 when asked to")


def look_at(stack: Stack, name: str) -> None:
    """Fail unless a container is closed."""
    service = stack.containers[name]
    seen = json.loads(stack.inside(name, "python", "-c", LOOK))
    assert seen == {
        "user": 10001,
        "capabilities": 0,
        "no_new_privileges": 1,
        "writable": [],
        "tools": [],
        "guards": ["prlimit", "setpriv"],
        "members": sorted(["mill-common", f"mill-{service}"]),
    }, (name, seen)


def send_a_job(stack: Stack) -> None:
    """Fail unless the sample becomes every output, with the right words."""
    began = time.monotonic()
    with Client(f"http://127.0.0.1:{stack.port}", KEY) as client, tempfile.TemporaryDirectory() as folder:
        try:
            job = client.jobs.wait(client.submit(SAMPLE).job_id, timeout_s=WAIT_S)
        except MillClientError as error:
            raise AssertionError(str(error)) from error
        assert job.status == "completed", job
        client.download(job.job_id, folder)
        found = {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}
        assert found >= WANTED, WANTED - found
        words = Path(folder, "transcript.txt").read_text().split()
        assert words == SPOKEN, words
    say(f"the sample became {len(found)} files with the right words in {time.monotonic() - began:.0f} s")


def lose_redis(stack: Stack, redis: Redis) -> None:
    """Fail unless a worker's check tells that Redis is gone, and that it is back."""
    worker = next(name for name, service in stack.containers.items() if service == "transcoder")
    redis.stop()
    wait_for(lambda: not stack.is_healthy(worker))
    redis.start()
    wait_for(lambda: stack.is_healthy(worker))
    say("the health check noticed Redis go and come back")


def say(text: str) -> None:
    """Tell whoever watches."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
