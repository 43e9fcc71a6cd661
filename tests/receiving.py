"""A receiver process, and what it heard."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "webhook_receiver.py"


@dataclass(frozen=True)
class Receiver:
    """A running receiver of webhooks."""

    port: int
    journal: Path
    secrets: Path

    def url(self, path: str = "ok") -> str:
        """Where to send; see `webhook_receiver` for what the path says."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def knows(self, *secrets: str) -> None:
        """Let it verify with these secrets from now on."""
        self.secrets.write_text("\n".join(secrets))

    def heard(self, path: str | None = None) -> list[dict[str, Any]]:
        """What came, in the order in which it came."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        found = [json.loads(line) for line in lines]
        return [line for line in found if path is None or line["path"].lstrip("/").startswith(path)]

    def go(self) -> None:
        """Let those go that it holds."""
        Path(f"{self.journal}.go").touch()


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    """Run a receiver until the block ends."""
    journal, secrets = folder / "journal.jsonl", folder / "secrets.txt"
    argv = [sys.executable, str(SCRIPT), str(journal), str(secrets)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield Receiver(int(process.stdout.readline()), journal, secrets)
        finally:
            process.kill()
