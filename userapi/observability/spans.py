"""Spans: one for each request, with a child span for each SQL statement.

They contain the method, the route, the status and the text of statements, but no parameters, requested paths, query
strings, headers or callers. Nothing here may be imported unless the extra `tracing` is installed.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, current_app, g, has_request_context, request
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from userapi.core import prepared
from userapi.core.db import db

#: The maximum length of statements; longer ones are cut.
MAX_STATEMENT_LENGTH = 2000

#: The timeout for the collector, in seconds; no request waits for it.
EXPORT_TIMEOUT = 5

TRACER_EXTENSION = "userapi-tracer"


def configure(app: Flask) -> None:
    """Send spans to the collector in batches, from a thread in each worker."""
    endpoint = app.config["OTEL_EXPORTER_OTLP_ENDPOINT"].rstrip("/") + "/v1/traces"
    resource = Resource.create({"service.name": "userapi"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=EXPORT_TIMEOUT)))
    app.extensions[TRACER_EXTENSION] = provider.get_tracer("userapi")
    app.extensions["userapi-tracer-provider"] = provider
    app.before_request(_begin)
    app.after_request(_note_status)
    app.teardown_request(_end)
    with app.app_context():
        for engine in db.engines.values():
            sa.event.listen(engine, "before_cursor_execute", _begin_statement)
            sa.event.listen(engine, "after_cursor_execute", _end_statement)
            sa.event.listen(engine, "handle_error", _end_failed)
    prepared.observer = _around_statement
    logger = logging.getLogger("opentelemetry")
    logger.handlers[:] = logging.getLogger("userapi").handlers
    logger.propagate = False


def _begin() -> None:
    tracer: Tracer = current_app.extensions[TRACER_EXTENSION]
    route = request.url_rule.rule if request.url_rule else None
    method = request.method if request.url_rule else "HTTP"
    g.span = tracer.start_span(
        f"{method} {route}" if route else method,
        _begun_by_proxy(),
        SpanKind.SERVER,
        {"http.request.method": method, "http.route": route or "", "userapi.request_id": g.request_id},
    )
    g.trace_id = format_trace_id(g.span.get_span_context().trace_id)


def _begun_by_proxy() -> Context | None:
    """The trace that a trusted proxy has started. Others cannot start one, or they would decide what is recorded."""
    if not current_app.config["TRUSTED_PROXIES"]:
        return None
    carrier = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
    return TraceContextTextMapPropagator().extract(carrier)


def _note_status(response: Response) -> Response:
    span: Span | None = g.get("span")
    if span is not None:
        span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code >= 500:
            span.set_status(StatusCode.ERROR)
    return response


def _end(_error: BaseException | None) -> None:
    span: Span | None = g.pop("span", None)
    if span is not None:
        span.end()


def _statement_span(engine: sa.Engine, sql: str) -> Span | None:
    """A child span of that of the current request, if there is one."""
    if not has_request_context() or "span" not in g:
        return None
    tracer: Tracer = current_app.extensions[TRACER_EXTENSION]
    attributes = {"db.system.name": engine.dialect.name, "db.query.text": sql[:MAX_STATEMENT_LENGTH]}
    return tracer.start_span(sql.split(None, 1)[0], set_span_in_context(g.span), SpanKind.CLIENT, attributes)


def _begin_statement(
    connection: sa.Connection, _cursor: Any, sql: str, _parameters: Any, context: Any, _many: Any
) -> None:
    context.userapi_span = _statement_span(connection.engine, sql)


def _end_statement(_connection: Any, _cursor: Any, _sql: str, _parameters: Any, context: Any, _many: Any) -> None:
    if context.userapi_span is not None:
        context.userapi_span.end()


def _end_failed(failure: sa.engine.ExceptionContext) -> None:
    span: Span | None = getattr(failure.execution_context, "userapi_span", None)
    if span is not None:
        span.set_status(StatusCode.ERROR)
        span.end()


@contextmanager
def _around_statement(engine: sa.Engine, sql: str) -> Iterator[None]:
    span = _statement_span(engine, sql)
    try:
        yield
    except BaseException:
        if span is not None:
            span.set_status(StatusCode.ERROR)
        raise
    finally:
        if span is not None:
            span.end()
