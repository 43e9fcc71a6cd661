"""Builds and runs images with buildah and podman, also where the machine forbids much: no daemon, no registry, no
network of its own for a container.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"  # where Debian keeps them
PASSED_ON = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX")
PUBLIC_BASE = "docker.io/library/python:3.11-slim-bookworm"
STAND_IN = "localhost/mediamill-check/base:bookworm"
_LARGEST_LIMIT = 4096


class EngineFailed(Exception):
    """A command of the engine failed; its words are the message."""


class Engine:
    """podman and buildah with a configuration of their own in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        configuration = folder / "containers.conf"
        configuration.write_text(_configuration())
        self._environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}

    def podman(self, *arguments: str, timeout_s: float = 600) -> str:
        """Run podman and return what it prints.

        Raises:
            EngineFailed: It ended with anything but 0.
        """
        return self._run(["podman", *arguments], timeout_s)

    def status(self, *arguments: str) -> int:
        """Run podman and return its exit status."""
        done = subprocess.run(
            ["podman", *arguments], env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        return done.returncode

    def base(self) -> str:
        """The image that the Dockerfile starts from, or a plain Debian with Python where it cannot be pulled."""
        with suppress(EngineFailed):
            self.podman("pull", "--quiet", PUBLIC_BASE, timeout_s=300)
            return PUBLIC_BASE
        if self.status("image", "exists", STAND_IN):
            self._stand_in()
        return STAND_IN

    def build(self, root: Path, target: str, base: str) -> str:
        """Build one target of the Dockerfile; returns the image's name."""
        image = f"localhost/mediamill-check/{target}"
        arguments = [
            "bud",
            "--quiet",
            "--layers",
            "--force-rm",
            "--isolation=chroot",
            "--network=host",
            "--format=docker",
        ]
        arguments += [f"--build-arg=BASE={base}", f"--target={target}", f"--tag={image}"]
        arguments += [f"--build-arg={name}={os.environ.get(name, '')}" for name in PASSED_ON]
        if authorities := os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT"):
            arguments += [f"--volume={authorities}:{AUTHORITIES}:ro", f"--build-arg=PIP_CERT={AUTHORITIES}"]
        self._run(["buildah", *arguments, str(root)], 1800)
        return image

    def size(self, image: str) -> int:
        """Bytes of an image with all its layers."""
        return int(self.podman("image", "inspect", "--format={{.Size}}", image))

    def _stand_in(self) -> None:
        tree = self._folder / "debian"
        packages = "--include=python3,python3-venv,ca-certificates"
        try:
            self._run(["debootstrap", "--variant=minbase", packages, "bookworm", str(tree), _mirror()], 1800)
            archive = self._folder / "debian.tar"
            self._run(["tar", "--create", "--file", str(archive), "--directory", str(tree), "."], 600)
            self.podman("import", "--quiet", str(archive), STAND_IN)
            archive.unlink()
        finally:
            shutil.rmtree(tree, ignore_errors=True)

    def _run(self, argv: Sequence[str], timeout_s: float) -> str:
        if shutil.which(argv[0]) is None:
            raise EngineFailed(f"{argv[0]} is not installed")
        try:
            done = subprocess.run(
                argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            raise EngineFailed(f"{' '.join(argv[:2])} took longer than {timeout_s:.0f} s") from expired
        if done.returncode:
            said = done.stdout[-2000:] + done.stderr[-4000:]
            raise EngineFailed(f"{' '.join(argv[:2])}: status {done.returncode}\n{said}")
        return done.stdout.strip()


def _configuration() -> str:
    # Podman asks for more than a shell without the right to raise its limits can give.
    files, processes = (
        min(_LARGEST_LIMIT, hard) if hard != resource.RLIM_INFINITY else _LARGEST_LIMIT
        for hard in (resource.getrlimit(kind)[1] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    )
    runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
    return (
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]\n'
        f'[engine]\n{runtime}cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )


def _mirror() -> str:
    """The archive that this machine's apt reads, or the public one."""
    shown = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Codename: bookworm"],
        capture_output=True,
        text=True,
        check=False,
    )
    return next(iter(shown.stdout.split()), "http://deb.debian.org/debian")
