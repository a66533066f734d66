"""Log lines on standard error, without secrets: JSON objects for programs, or lines that people can read."""

import logging
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, TextIO

import orjson
from flask import Flask, has_request_context

from userapi.core import clock, context

#: Caches loggers by name, because the library's own look-up takes a lock.
_logger = cache(logging.getLogger)

#: Longer texts are cut, so that a client cannot fill the disk. Of a traceback, both ends stay.
MAX_VALUE_LENGTH = 2000
MAX_TRACE_LENGTH = 20_000

#: The detail that PostgreSQL adds to an error, which may quote the row.
QUOTED_ROW = re.compile(r"^DETAIL: .*?(?=\n\n|\n\[SQL|\Z)", re.MULTILINE | re.DOTALL)


#: What every record has; its other attributes are the fields that a call gave as `extra`.
OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

#: Makes one line of an event.
Renderer = Callable[[dict[str, Any]], str]


def configure(app: Flask) -> None:
    """Write the lines of the logger `userapi` and those below it; the loggers of other programs are left unchanged."""
    handler = _StandardError()
    handler.setFormatter(_EventFormatter(_dump_json if app.config["LOG_FORMAT"] == "json" else _format_for_terminal))
    logger = logging.getLogger("userapi")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(app.config["LOG_LEVEL"])


class _EventFormatter(logging.Formatter):
    """Formats a record with its fields, the request id and the traceback, if any.

    Args:
        render: makes the line.
    """

    def __init__(self, render: Renderer) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = {name: value for name, value in vars(record).items() if name not in OF_EVERY_RECORD}
        event = {
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            **fields,
        }
        _add_request_id(event)
        _truncate_values(event)
        if record.exc_info:
            event["exception"] = _truncate_trace(self.formatException(record.exc_info))
        return self._render(event)


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
    if context.current_application().config["LOG_FORMAT"] != "json":
        _logger(logger).info(event, extra=fields)
        return
    line = {"event": event, **fields, "logger": logger, "level": "info", "timestamp": clock.now()}
    with suppress(OSError):  # a full disk or a missing log reader must not stop a request
        _add_request_id(line)
        sys.stderr.write(_dump_json(line) + "\n")


def _add_request_id(event: dict[str, Any]) -> None:
    if has_request_context():
        g = context.current_g()
        event.setdefault("request_id", g.get("request_id"))
        if trace_id := g.get("trace_id"):
            event["trace_id"] = trace_id


def _truncate_values(event: dict[str, Any]) -> None:
    for name, value in event.items():
        if isinstance(value, str) and len(value) > MAX_VALUE_LENGTH:
            event[name] = value[:MAX_VALUE_LENGTH] + "…"


def _truncate_trace(trace: str) -> str:
    trace = QUOTED_ROW.sub("DETAIL: …", trace)
    half = MAX_TRACE_LENGTH // 2
    return trace if len(trace) <= MAX_TRACE_LENGTH else f"{trace[:half]}…{trace[-half:]}"


def _format_for_terminal(event: dict[str, Any]) -> str:
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


def _dump_json(event: dict[str, Any]) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z).decode()
