"""Log lines are JSON, say who speaks, and keep secrets."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from mill_common.logs import configure_logs
from mill_common.redact import redact, redact_text
from mill_common.settings import Settings

KEY = "mill_ab12cd34_" + "s3cr3t" * 5
SECRET_TEXTS = [
    "postgresql://mill:s3cr3t@db:5432/mill is gone",
    f"key {KEY} was refused",
    "Authorization: Bearer s3cr3t.s3cr3t.s3cr3t",
    "GET /objects/a?X-Amz-Signature=s3cr3t&x=1",
    "GET /stream/a?signature=s3cr3t",
]
SECRET_VALUES: list[dict[str, Any]] = [
    {"api_key": "s3cr3t"},
    {"headers": {"X-API-Key": "s3cr3t", "Authorization": "s3cr3t"}},
    {"webhook": [{"secret": "s3cr3t"}]},
    {"webhook_secret": "s3cr3t"},
    {"source_url": "https://example.org/s3cr3t"},
]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """What was logged so far, as parsed lines."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    said = io.StringIO()
    monkeypatch.setattr("sys.stderr", said)
    configure_logs(Settings(data_dir=tmp_path), "transcoder")
    yield lambda: [json.loads(line) for line in said.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_line_says_what_where_and_when(lines: Any) -> None:
    structlog.get_logger("mill.test").info("task_started", attempt=2)
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == ("task_started", "info", "mill.test")
    assert (line["service"], line["attempt"]) == ("transcoder", 2)
    assert line["timestamp"].endswith("Z")


def test_every_thread_names_its_service(lines: Any) -> None:
    thread = threading.Thread(target=lambda: structlog.get_logger("mill.test").info("beat"))
    thread.start()
    thread.join()
    assert lines()[0]["service"] == "transcoder"


def test_what_is_bound_is_on_every_line_and_gone_afterwards(lines: Any) -> None:
    with structlog.contextvars.bound_contextvars(job="7", task="probe"):
        logging.getLogger("library").warning("from a library")
    structlog.get_logger("mill.test").info("later")
    bound, later = lines()
    assert (bound["job"], bound["task"], bound["event"]) == ("7", "probe", "from a library")
    assert "job" not in later


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_no_secret_in_a_text_reaches_a_line(lines: Any, text: str) -> None:
    structlog.get_logger("mill.test").info("event", note=text, notes=[text])
    logging.getLogger("library").warning("said: %s", text)
    structlog.get_logger("mill.test").error("crashed", exc_info=RuntimeError(text))
    found = lines()
    assert len(found) == 3
    assert "s3cr3t" not in json.dumps(found)


@pytest.mark.parametrize("values", SECRET_VALUES, ids=lambda values: next(iter(values)))
def test_no_value_with_a_secret_s_name_reaches_a_line(lines: Any, values: dict[str, Any]) -> None:
    structlog.get_logger("mill.test").info("event", **values)
    assert "s3cr3t" not in json.dumps(lines())


def test_what_is_no_secret_is_left_alone() -> None:
    values = {"object_key": "jobs/1/360p.mp4", "idempotency_key": "a", "size": 3, "url": "https://example.org/a?b=c"}
    assert redact(values) == values


def test_an_api_key_stays_recognisable() -> None:
    assert redact_text(KEY) == "mill_ab12cd34_***"
