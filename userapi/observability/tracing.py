"""Traces for OpenTelemetry, if OTEL_EXPORTER_OTLP_ENDPOINT is set and the extra `tracing` is installed."""

import logging
from importlib import import_module

from flask import Flask

log = logging.getLogger(__name__)


def configure(app: Flask) -> None:
    """Trace requests if OTEL_EXPORTER_OTLP_ENDPOINT is set; otherwise this costs nothing, not even the import."""
    if not app.config["OTEL_EXPORTER_OTLP_ENDPOINT"]:
        return
    try:
        spans = import_module("userapi.observability.spans")
    except ImportError as error:
        log.warning(
            "tracing is off: OTEL_EXPORTER_OTLP_ENDPOINT is set, but packages of requirements/scale.txt are missing",
            extra={"missing": error.name},
        )
    else:
        spans.configure(app)
