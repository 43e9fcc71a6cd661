"""Structured logs: one JSON object a line, with the job and task at work bound to every line."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Sequence
from types import FrameType

import structlog
from structlog.typing import EventDict, Processor

from mill_common.log_files import MEDIA, SharedFileHandler, open_log_files
from mill_common.redact import redact
from mill_common.settings import Settings

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
NOISY = ("dramatiq", "urllib3", "httpx", "httpcore", "alembic", "faster_whisper", "uvicorn.access")
_CONSOLE = "console"


def configure_logs(settings: Settings, service: str) -> None:
    """Send this process's logs, and those of its libraries, to standard error; with `log_dir` also to files there."""
    shared = _processors(service)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    to_people = settings.log_format == "console"
    last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if to_people else _JSON
    console = logging.StreamHandler(sys.stderr)
    console.set_name(_CONSOLE)
    console.setFormatter(_Formatter(shared, last))
    handlers: list[logging.Handler] = [console]
    if settings.log_dir is not None:
        handlers += open_log_files(settings.log_dir, settings)
        for handler in handlers[1:]:
            handler.setFormatter(_Formatter(shared, _JSON))
    root = logging.getLogger()
    for before in root.handlers:
        if isinstance(before, SharedFileHandler):
            before.close()
    root.handlers[:] = handlers
    set_level(settings.log_level)


def set_level(level: str) -> None:
    """Have lines of this level and above on standard error from now on; files keep the levels that are theirs."""
    root = logging.getLogger()
    console = logging.getLevelName(level)
    files = any(isinstance(handler, SharedFileHandler) for handler in root.handlers)
    for handler in root.handlers:
        if handler.name == _CONSOLE:
            handler.setLevel(console)
    root.setLevel(min(console, logging.INFO) if files else console)
    for name in MEDIA:
        logging.getLogger(name).setLevel(logging.DEBUG if files else logging.NOTSET)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(max(console, logging.WARNING))


def _processors(service: str) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _placed,
        _named(service),
        structlog.processors.format_exc_info,
        _without_secrets,  # after the traceback was made text: it may quote an address with its password
    ]


_ENCODER = json.JSONEncoder(default=str)
_JSON: Processor = structlog.processors.JSONRenderer(serializer=lambda event, **_: _ENCODER.encode(event))


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """The processors' way for records of libraries. What comes from structlog has been through them already."""

    def __init__(self, shared: Sequence[Processor], last: Processor) -> None:
        super().__init__(foreign_pre_chain=shared, processors=[self.remove_processors_meta, last])
        self._last = last

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        logger = getattr(record, "_logger", None)
        if logger is None or not isinstance(record.msg, dict):
            return super().format(record)
        return str(self._last(logger, record.levelname, record.msg.copy()))


def _placed(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Where in the program a line comes from: structlog's own way takes a third of all that a line does."""
    record: logging.LogRecord | None = event.get("_record")
    if record is not None:
        place = {"module": record.module, "function": record.funcName, "line": record.lineno}
    else:
        frame = _caller()
        name = frame.f_code.co_filename.rpartition("/")[2]
        place = {"module": name.removesuffix(".py"), "function": frame.f_code.co_name, "line": frame.f_lineno}
    return {**event, **place, "process_id": os.getpid(), "thread_id": threading.get_ident()}


def _caller() -> FrameType:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("structlog"):
        frame = frame.f_back
    assert frame is not None
    return frame


def _named(service: str) -> Processor:
    # Not a bound variable: threads start without those.
    def name(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {"service": service, **event}

    return name


def _without_secrets(_logger: object, _method: str, event: EventDict) -> EventDict:
    # Names that begin with an underscore are structlog's own, among them the standard library's record.
    return {name: value if name.startswith("_") else redact(value, name) for name, value in event.items()}
