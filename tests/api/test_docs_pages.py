from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
import schemathesis
from api.running import Gateway

from mill_api.openapi_document import text

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


class Loads(HTMLParser):
    """Every address that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "spec-url")]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_loads_from_this_server_alone(gateway: Gateway, path: str) -> None:
    with gateway.client() as reader:
        page = reader.get(path)
        loads = Loads()
        loads.feed(page.text)
        assert any(address.endswith(".js") for address in loads.addresses)
        for address in loads.addresses:
            assert re.fullmatch(r"/[^/].*", address), address
            loaded = reader.get(address)
            assert loaded.status_code == 200, address
            assert loaded.content
    assert "://" not in page.text
    policy = page.headers["content-security-policy"]
    assert "http" not in policy, "the browser is told to ask no other host"
    assert "script-src 'self'" in policy


def test_the_started_swagger_ui_reads_the_document(gateway: Gateway) -> None:
    with gateway.client() as reader:
        script = reader.get("/assets/swagger-ui.js").text
        assert reader.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert '"/openapi.json"' in script
    assert "validatorUrl: null" in script, "or it would ask a validator elsewhere"


def test_the_document_is_valid(gateway: Gateway) -> None:
    with gateway.client() as reader:
        document = reader.get("/openapi.json").json()
    schemathesis.openapi.from_dict(document).validate()
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    assert not re.findall(r'"\$ref": "#/(?!components/schemas/)', json.dumps(document))
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named == set(document["components"]["schemas"])


def test_the_kept_document_is_the_served_one(gateway: Gateway, tmp_path: Path) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == text()
    stale = tmp_path / "openapi.json"
    stale.write_text("{}")
    command = [sys.executable, "-m", "mill_api.openapi_document", "--check"]
    assert subprocess.run([*command, str(DOCUMENT)], check=False).returncode == 0
    assert subprocess.run([*command, str(stale)], check=False, stderr=subprocess.DEVNULL).returncode == 1
    with gateway.client() as reader:
        assert reader.get("/openapi.json").json() == json.loads(text())


def test_the_pages_bring_no_other_framework() -> None:
    assert find_spec("django") is None
    assert find_spec("fastapi") is None


def test_every_operation_says_who_may_call_it(gateway: Gateway) -> None:
    with gateway.client() as stranger:
        paths = stranger.get("/openapi.json").json()["paths"]
        for path, operations in paths.items():
            for method, operation in operations.items():
                concrete = re.sub(r"{\w+}", "0198c0de-0000-7000-8000-000000000000", path)
                answer: httpx.Response = stranger.request(method.upper(), concrete)
                assert (answer.status_code == 401) == bool(operation["security"]), (method, path)
