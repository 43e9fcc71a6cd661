"""Structured logs: one JSON object a line, with the job and task at work bound to every line."""

from __future__ import annotations

import logging
import sys

import structlog

from mill_common.redact import redact
from mill_common.settings import Settings


def configure_logs(settings: Settings, service: str) -> None:
    """Send this process's logs, and those of its libraries, to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
        structlog.processors.format_exc_info,
        _without_secrets,  # after the traceback was made text: it may quote an address with its password
    ]
    console = settings.log_format == "console"
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("dramatiq", "urllib3", "httpx", "httpcore", "alembic", "faster_whisper", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _named(service: str) -> structlog.typing.Processor:
    # Not a bound variable: threads start without those.
    def name(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"service": service, **event}

    return name


def _without_secrets(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # Names that begin with an underscore are structlog's own, among them the standard library's record.
    return {name: value if name.startswith("_") else redact(value, name) for name, value in event.items()}
