"""Log lines on standard error, without secrets: JSON objects for programs, or lines that people can read."""

import logging
import re
import sys
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any, TextIO

import orjson
import structlog
from flask import Flask, current_app, has_request_context

from userapi.core import clock, context

#: Caches loggers by name, because the library's own look-up takes a lock.
_logger = cache(logging.getLogger)

#: Longer texts are cut, so that a client cannot fill the disk. Of a traceback, both ends stay.
MAX_VALUE_LENGTH = 2000
MAX_TRACE_LENGTH = 20_000

#: The detail that PostgreSQL adds to an error, which may quote the row.
QUOTED_ROW = re.compile(r"^DETAIL: .*?(?=\n\n|\n\[SQL|\Z)", re.MULTILINE | re.DOTALL)


def configure(app: Flask) -> None:
    """Route structlog and the standard library's loggers to one handler."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        _add_request_id,
        structlog.processors.format_exc_info,
        _truncate_values,
        _truncate_trace,
    ]
    is_json = app.config["LOG_FORMAT"] == "json"
    renderer: Any = structlog.processors.JSONRenderer(serializer=_dump_json) if is_json else _format_for_terminal
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = _StandardError()
    handler.setFormatter(formatter)
    logger = logging.getLogger("userapi")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(app.config["LOG_LEVEL"])
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to the current standard error, not to that at the creation of the application."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard error."""
        return sys.stderr


def log_hot_event(logger: str, event: str, **fields: Any) -> None:
    """Log a frequent event without the slower processing of the logging library.

    Args:
        logger: its name.
        event: what happened.
        fields: short plain values, which are not cut.
    """
    if not _logger(logger).isEnabledFor(logging.INFO):
        return
    if current_app.config["LOG_FORMAT"] != "json":
        structlog.get_logger(logger).info(event, **fields)
        return
    line = {"event": event, **fields, "logger": logger, "level": "info", "timestamp": clock.now()}
    with suppress(OSError):  # a full disk or a missing log reader must not stop a request
        sys.stderr.write(_dump_json(_add_request_id(None, "", line)) + "\n")


def _add_request_id(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    if has_request_context():
        g = context.current_g()
        event.setdefault("request_id", g.get("request_id"))
        if trace_id := g.get("trace_id"):
            event["trace_id"] = trace_id
    return event


def _truncate_values(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and len(value) > MAX_VALUE_LENGTH and name != "exception":
            event[name] = value[:MAX_VALUE_LENGTH] + "…"
    return event


def _truncate_trace(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    if "exception" in event:
        trace = QUOTED_ROW.sub("DETAIL: …", event["exception"])
        half = MAX_TRACE_LENGTH // 2
        event["exception"] = trace if len(trace) <= MAX_TRACE_LENGTH else f"{trace[:half]}…{trace[-half:]}"
    return event


def _format_for_terminal(_logger: Any, _name: str, event: dict[str, Any]) -> str:
    """A line for a terminal: the local time, the event, and the fields that have a value; then the traceback, if any.

    The request id is shown only for warnings and errors.
    """
    trace, level = event.pop("exception", ""), event.pop("level")
    event.pop("logger", None)
    written = datetime.fromisoformat(event.pop("timestamp")).astimezone()
    if level in ("debug", "info"):
        event.pop("request_id", None)
    what = event.pop("event")
    if what == "request":
        method, route, status, milliseconds = map(event.pop, ("method", "route", "status", "milliseconds"))
        what = f"{method} {route or '-'} {status} {milliseconds:.0f} ms"
    fields = [f"{name}={_printable(value)}" for name, value in event.items() if value is not None]
    mark = "" if level in ("debug", "info") else f"{level.upper()}: "
    line = "  ".join((f"{written:%H:%M:%S}", mark + _printable(what), *fields))
    return "\n".join((line, *map(_printable, trace.split("\n")))) if trace else line


def _printable(value: Any) -> str:
    """A value as text without control characters."""
    text = str(value)
    return text if text.isprintable() else ascii(text)


def _dump_json(event: dict[str, Any], **_options: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z).decode()
