"""The services of compose.yaml as containers on this host's network, beside the servers of the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from containers.compose import OURS, flags, read_compose, seconds
from containers.engine import Engine, EngineFailed
from server_process import free_port
from servers import S3, Postgres, Redis

KEY = "an-admin-key-for-the-container-check"


class Stack:
    """Containers of our images, started by `start` and removed at the end."""

    def __init__(self, engine: Engine, images: dict[str, str], folder: Path, urls: dict[str, str]) -> None:
        self._engine = engine
        self._images = images
        self._folder = folder
        self._services = read_compose(variables={"MILL_WHISPER_MODEL": "tiny-digits"})["services"]
        self._secrets = _write_secrets(folder / "secrets", urls)
        self.containers: dict[str, str] = {}  # name of the container: service
        self.port = free_port()

    def start(self, service: str, number: int = 1) -> str:
        """Start one container of a service; returns its name."""
        name = f"mediamill-check-{os.getpid()}-{service}-{number}"
        arguments = ["--port", str(self.port), "--host", "127.0.0.1"] if service == "api" else []
        self._engine.podman("run", "--detach", f"--name={name}", *self._flags(service, name), *arguments)
        self.containers[name] = service
        return name

    def migrate(self) -> None:
        """Run the one-shot to its end."""
        self._engine.podman("run", "--rm", *self._flags("migrate", "migrate"))

    def inside(self, name: str, *command: str) -> str:
        """Run a command in a container."""
        return self._engine.podman("exec", name, *command)

    def is_healthy(self, name: str) -> bool:
        """What the image's own check says; the gateway is asked on the port that it was given."""
        if self.containers[name] == "api":
            port = str(self.port)
            return self._engine.status("exec", name, "python", "-m", "mill_common.health", "--http", port) == 0
        return self._engine.status("healthcheck", "run", name) == 0

    def stop(self, name: str) -> int:
        """End a container as compose would; returns its exit status."""
        grace = seconds(self._services[self.containers[name]]["stop_grace_period"])
        self._engine.podman("stop", f"--time={grace}", name)
        return int(self._engine.podman("inspect", "--format={{.State.ExitCode}}", name))

    def logs(self) -> str:
        """The end of what every container said."""
        said = []
        for name in self.containers:
            try:
                said.append(f"--- {name}\n{self._engine.podman('logs', '--tail=40', name)}")
            except EngineFailed as error:
                said.append(f"--- {name}\n{error}")
        return "\n".join(said)

    def remove(self) -> None:
        """Remove what was started."""
        for name in self.containers:
            self._engine.status("rm", "--force", "--volumes", "--time=10", name)

    def _flags(self, service: str, name: str) -> list[str]:
        said: dict[str, Any] = self._services[service]
        mounts = [f"--volume={self._secrets / secret}:/run/secrets/{secret}:ro" for secret in said["secrets"]]
        # Of the host's network only the loopback is used. A worker is known by its host's name.
        return ["--network=host", f"--hostname={name[-60:]}", *flags(said), *mounts, self._images[service]]


@contextmanager
def running_stack(engine: Engine, images: dict[str, str], folder: Path) -> Iterator[tuple[Stack, Redis]]:
    """The servers, and a stack over them that has no container yet."""
    assert set(images) >= set(OURS)
    with ExitStack() as opened:
        postgres = opened.enter_context(Postgres())
        redis = opened.enter_context(Redis())
        s3 = opened.enter_context(S3())
        urls = {
            "mill_database_url": opened.enter_context(postgres.database()),
            "mill_broker_url": redis.url,
            "mill_storage_url": opened.enter_context(s3.bucket()),
            "mill_signing_key": "a-signing-key-for-the-check-0123456789",
            "mill_admin_key": KEY,
        }
        stack = Stack(engine, images, folder, urls)
        try:
            yield stack, redis
        except BaseException:
            print(stack.logs())
            raise
        finally:
            stack.remove()


def _write_secrets(folder: Path, secrets: dict[str, str]) -> Path:
    folder.mkdir(mode=0o700)
    for name, text in secrets.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o444)
    return folder
