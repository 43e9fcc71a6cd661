"""A receiver of webhooks as its own process, which checks every request with the `standardwebhooks` library.

`python tests/webhook_receiver.py JOURNAL SECRETS` prints its port and writes a JSON line for every request to JOURNAL
before it answers. SECRETS is a file that holds one secret a line, read anew for each request. How it answers is the
first part of the path: `ok`, `status-503` (with the headers of its query), `hang`, or `hold`: not before the file
JOURNAL.go is there.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

HANG_S = 3600.0


class Receiver(ThreadingHTTPServer):
    """Where everybody's webhooks go."""

    request_queue_size = 512
    daemon_threads = True

    def __init__(self, journal: Path, secrets: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.journal = journal
        self.secrets = secrets
        self.lock = threading.Lock()

    def note(self, line: dict[str, object]) -> None:
        with self.lock, self.journal.open("a") as file:
            file.write(json.dumps(line) + "\n")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Receiver

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        headers = dict(self.headers.items())
        verified = [at for at, secret in enumerate(self._secrets()) if is_genuine(secret, content, headers)]
        self.server.note(
            {
                "path": self.path,
                "id": self.headers["webhook-id"],
                "verified": verified,
                "at": time.monotonic(),
                "headers": {name.lower(): value for name, value in headers.items()},
                "body": json.loads(content),
                "size": len(content),
            }
        )
        self._answer()

    def _answer(self) -> None:
        how = urlsplit(self.path).path.split("/")[1]
        if how == "hang":
            time.sleep(HANG_S)
        if how == "hold":
            while not Path(f"{self.server.journal}.go").exists():
                time.sleep(0.02)
        self.send_response(int(how.removeprefix("status-")) if how.startswith("status-") else 204)
        for name, value in parse_qsl(urlsplit(self.path).query):
            self.send_header(name, value)
        self.end_headers()

    def _secrets(self) -> list[str]:
        return self.server.secrets.read_text().split() if self.server.secrets.exists() else []

    def log_message(self, *arguments: object) -> None:
        pass


def is_genuine(secret: str, content: bytes, headers: dict[str, str]) -> bool:
    """What a careful receiver asks before it reads on."""
    try:
        Webhook(secret).verify(content, headers)
    except WebhookVerificationError:
        return False
    return True


if __name__ == "__main__":
    receiver = Receiver(Path(sys.argv[1]), Path(sys.argv[2]))
    print(receiver.server_address[1], flush=True)
    receiver.serve_forever()
