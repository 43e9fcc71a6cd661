"""Every example in docs/api.md is run, in its order and in one shell, against a server that really makes films."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from browser.site import Content, reported, served
from server_process import free_port, program
from standalone.running import KEY, MillProcess
from waiting import wait_for

from mill_common.hooks.secrets import headers, new_secret
from mill_standalone.demo import SAMPLE

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
CURL_S = 240
PAGE = """<!doctype html><meta charset="utf-8"><script>
const shown = [], errors = [];
const show = percent => shown.push(percent);
const report = closed => fetch("/report", {{method: "POST", body: JSON.stringify({{shown, errors, closed}})}});
window.addEventListener("error", event => {{ errors.push(event.message); report(false); }});
window.addEventListener("unhandledrejection", event => {{ errors.push(String(event.reason)); report(false); }});
</script><script type="module">
{example}
events.addEventListener("complete", () => report(events.readyState === EventSource.CLOSED));
</script>"""


@dataclass(frozen=True)
class Example:
    """A block of the document."""

    line: int
    language: str
    text: str


def examples() -> list[Example]:
    """Every block, in the document's order."""
    text = DOCUMENT.read_text()
    blocks = re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Example(text.count("\n", 0, block.start()) + 1, block[1], block[2]) for block in blocks]


def of(language: str, sign: str) -> Example:
    """The one example of a language that has `sign` in it."""
    (found,) = [example for example in examples() if example.language == language and sign in example.text]
    return found


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MillProcess]:
    """A server with all its workers."""
    process = MillProcess(tmp_path_factory.mktemp("mill") / "data", free_port())
    try:
        process.await_ready()
        yield process
    finally:
        process.stop()


def run(script: str, folder: Path, **environment: str) -> str:
    """What a shell writes; it ends at the first command that fails, and a refused request is one."""
    (folder / ".curlrc").write_text(f"fail-with-body\nno-progress-meter\nmax-time = {CURL_S}\n")
    shell = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **environment, "CURL_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=4 * CURL_S,
        check=False,
    )
    assert shell.returncode == 0, f"{shell.stderr}\n{shell.stdout[-2000:]}"
    return shell.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_examples_for_a_shell_do_what_they_say(mill: MillProcess, tmp_path: Path) -> None:
    for name in ("curl", "jq"):
        program(name)
    (tmp_path / "clip.mp4").write_bytes(SAMPLE.read_bytes())
    given = "export MILL=http://127.0.0.1:8000 KEY=…"
    blocks = [example for example in examples() if example.language == "sh" and "openssl" not in example.text]
    assert blocks[0].text.strip() == given
    script = [f"export MILL={mill.url} KEY={KEY}"]
    for block in blocks[1:]:
        # A refusal is what one of them is there to show.
        text = block.text.replace("curl ", "curl --no-fail-with-body ", 1) if "{}}'" in block.text else block.text
        script.append(f"echo '@@ {block.line}'\n{text}\necho")
    written = run("\n".join(script), tmp_path)

    said = {int(part.partition("\n")[0]): part.partition("\n")[2] for part in written.split("@@ ")[1:]}
    start = next(text for line, text in sorted(said.items()) if "event: complete" in text)
    assert '"status":"completed"' in start.replace(" ", "")
    assert (tmp_path / "clip-360p.mp4").stat().st_size > 1000
    tus = said[of("sh", "Upload-Offset: $OFFSET").line]
    assert json.loads(tus)["status"] == "complete"
    assert (tmp_path / "jobs.csv").exists() or list(tmp_path.glob("*.csv")), "the export was saved"
    refusal = json.loads(said[of("sh", "{}}'").line])
    assert refusal == json.loads(of("json", "invalid_request").text)


@pytest.mark.timeout(600)
def test_the_example_for_a_browser_shows_progress_to_the_end(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    port = free_port()
    mill = MillProcess(tmp_path / "data", port, MILL_PUBLIC_URL=f"http://127.0.0.1:{port}")
    try:
        mill.await_ready()
        with httpx.Client(base_url=mill.url, headers={"X-API-Key": KEY}, timeout=60) as client:
            job_id = client.post("/api/v1/jobs", json={"source": {"upload_id": _upload(client)}}).json()["job_id"]
            paths: dict[str, Content] = {
                "/": lambda: (PAGE.format(example=of("js", "EventSource").text).encode(), "text/html"),
                "/my-server/ticket": lambda: (_ticket(client, job_id), "application/json"),
            }
            with served(paths) as site:
                seen = reported(chromium, site, tmp_path / "profile")
    finally:
        mill.stop()
    assert seen["errors"] == []
    assert (seen["shown"], seen["shown"][-1]) == (sorted(seen["shown"]), 100)
    assert seen["closed"], "it does not come back when the job has ended"


def test_the_payload_of_a_webhook_is_as_shown(mill: MillProcess) -> None:
    shown = json.loads(of("json", "job.completed").text)
    with httpx.Client(base_url=mill.url, headers={"X-API-Key": KEY}, timeout=60) as client:
        hook = {"url": "https://mill.example.org/hook", "events": ["job.completed"]}
        body = {"source": {"upload_id": _upload(client)}, "webhook": hook, "force": True}
        job_id = client.post("/api/v1/jobs", json=body).json()["job_id"]
        wait_for(lambda: client.get(f"/api/v1/jobs/{job_id}").json()["status"] == "completed")
        sent = wait_for(lambda: client.get(f"/api/v1/jobs/{job_id}/deliveries").json()["deliveries"])[0]
        one = client.get(f"/api/v1/webhooks/{sent['webhook_id']}/deliveries/{sent['id']}").json()
    assert _form(one["body"]) == _form(shown)


def test_the_examples_that_verify_a_webhook_do(tmp_path: Path) -> None:
    secret, body = new_secret(), of("json", "job.completed").text.encode()
    sent = headers([secret], uuid4(), int(time.time()), body)
    request = SimpleNamespace(body=body, headers=sent)
    names: dict[str, Any] = {"request": request}
    exec(of("python", "standardwebhooks").text.replace("whsec_…", secret), names)
    assert names["event"] == json.loads(body)

    values = {name.replace("-", "_"): value for name, value in sent.items()}
    signed = run(of("sh", "openssl").text, tmp_path, **values, SECRET=secret, body=body.decode())
    assert f"v1,{signed.strip()}" == sent["webhook-signature"]


def test_no_example_is_left_out() -> None:
    kinds = {example.language for example in examples()}
    assert kinds == {"sh", "json", "python", "js"}, "a new kind of example needs a test"
    assert len([example for example in examples() if example.language != "sh"]) == 4


def _ticket(client: httpx.Client, job_id: str) -> bytes:
    return client.post("/api/v1/events/tickets", json={"job_id": job_id}).raise_for_status().content


def _upload(client: httpx.Client) -> str:
    sent = client.post("/api/v1/uploads", params={"filename": "clip.mp4"}, content=SAMPLE.read_bytes())
    upload_id: str = sent.json()["id"]
    return upload_id


def _form(value: Any) -> Any:
    """The names and kinds of everything."""
    if isinstance(value, dict):
        return {name: _form(part) for name, part in value.items()}
    return type(value).__name__
