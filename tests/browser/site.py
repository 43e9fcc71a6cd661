"""A site of its own with a page, to which the page reports, and the browser that opens it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PATIENCE_S = 270.0  # of a page that gives up by itself long before
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
Content = Callable[[], tuple[bytes, str]]
"""What lies at a path, and its media type."""


class Site(ThreadingHTTPServer):
    """Serves what `paths` say, and takes one report."""

    def __init__(self, paths: Mapping[str, Content]) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.paths = paths
        self.report: dict[str, Any] | None = None
        self.reported = threading.Event()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Visit(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        found = self.server.paths.get(self.path)
        content, kind = found() if found else (b"", "text/plain")
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.server.report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.reported.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(paths: Mapping[str, Content]) -> Iterator[Site]:
    """A site until the block ends."""
    site = Site(paths)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


def reported(chromium: str, site: Site, profile: Path, *, fragment: str = "", options: tuple[str, ...] = ()) -> Any:
    """What the site's page says, opened in a browser."""
    command = [chromium, *OPTIONS, *options, f"--user-data-dir={profile}", f"{site.url}#{fragment}"]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert site.reported.wait(PATIENCE_S), "the page has not reported"
    finally:
        browser.terminate()
        browser.wait(30)
    assert site.report is not None
    return site.report
