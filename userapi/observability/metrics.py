"""Metrics for Prometheus; `docs/metrics.md` explains each name.

A label has one of a few fixed values, never an id, an IP address or a requested path.

A process counts in memory or, if PROMETHEUS_MULTIPROC_DIR is set, in its own files in that folder. Any worker can then
return the sum of all, and the counts of a worker are kept after it has ended.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from flask import Flask, current_app
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    values,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER_SETTING = "PROMETHEUS_MULTIPROC_DIR"

#: The upper bounds of the histogram buckets for the duration of requests, in seconds.
DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

#: The outcomes of attempts to send an email, each with its label in the older metric `userapi_letters`.
DELIVERY_OUTCOMES = {"sent": "sent", "delayed": "delayed", "failed": "given_up"}

#: Errors of requests that failed because of the database.
DATABASE_ERROR_NAMES = ("OperationalError", "InterfaceError", "TimeoutError", "InternalError")

LABELLED_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

#: How prometheus-client counts unless the settings name a folder.
DEFAULT_VALUE_CLASS = values.ValueClass


class Registry(CollectorRegistry):
    """Exports no metrics for when a counter was created, which would double the number of lines.

    The library's own switch would also hold for the metrics of an application that this service is mounted in.
    """

    def collect(self) -> Iterable[Metric]:
        """The current values of the metrics."""
        for family in super().collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class Collector(Protocol):
    """An object that returns the metrics when Prometheus scrapes them."""

    def collect(self) -> Any:
        """The current values of the metrics."""


class Metrics:
    """The counters of one application.

    Args:
        folder: the folder that several processes share; empty for a single process.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.registry = registry = Registry()
        self.requests = Histogram(
            "userapi_request_duration_seconds",
            "Number and duration of requests.",
            ("method", "route", "status"),
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self.events = Counter(
            "userapi_audit_events", "Events written to the audit log.", ("action",), registry=registry
        )
        self.throttled = Counter(
            "userapi_throttled", "Attempts rejected by a throttle.", ("throttle",), registry=registry
        )
        self.second_steps = Counter(
            "userapi_second_steps", "Second steps of sign-ins, by outcome.", ("kind", "outcome"), registry=registry
        )
        self.closed_accounts = Counter(
            "userapi_closed_accounts",
            "Closed accounts whose time had come, by outcome.",
            ("outcome",),
            registry=registry,
        )
        self.unused_accounts = Counter(
            "userapi_unused_accounts",
            "Accounts that were not used, by what was done.",
            ("action",),
            registry=registry,
        )
        self.removed_addresses = Counter(
            "userapi_removed_addresses", "Events whose IP address was removed because they are old.", registry=registry
        )
        self.emails = Counter(
            "userapi_emails", "Attempts to send an email, by outcome.", ("outcome",), registry=registry
        )
        self.letters = Counter(
            "userapi_letters", "The same as userapi_emails: its older name.", ("outcome",), registry=registry
        )
        self.hashing = Gauge(
            "userapi_password_hashing_places_in_use",
            "Requests that are computing a password hash or waiting to do so.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.hashing_refused = Counter(
            "userapi_password_hashing_refused",
            "Requests rejected because too many were computing password hashes.",
            registry=registry,
        )
        self.outbound = Histogram(
            "userapi_outbound_request_duration_seconds",
            "Number and duration of requests to other services, including the time in the queue.",
            ("service", "outcome"),
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self.outbound_paused = Gauge(
            "userapi_outbound_paused",
            "1 while a service gets no requests because the last ones failed.",
            ("service",),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.notices = Counter(
            "userapi_notices",
            "Attempts to deliver notices to other services and to subscribers of extensions.",
            ("outcome",),
            registry=registry,
        )
        self.openid_answers = Counter(
            "userapi_openid_answers",
            "Answers to the clients of the OpenID provider, by what went wrong.",
            ("endpoint", "error"),
            registry=registry,
        )
        self.webhook_deliveries = Counter(
            "userapi_webhook_deliveries", "Attempts to deliver events to webhooks.", ("outcome",), registry=registry
        )
        self.provider_sign_ins = Counter(
            "userapi_provider_sign_ins",
            "Answers of identity providers, by what they led to.",
            ("provider", "outcome"),
            registry=registry,
        )
        self.connections = Gauge(
            "userapi_database_connections_in_use",
            "Database connections in use by requests and email delivery.",
            ("use",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.lost_connections = Counter(
            "userapi_database_connections_lost",
            "Database connections that were discarded because of an error.",
            ("use",),
            registry=registry,
        )
        self.standby_reads = Counter(
            "userapi_standby_reads",
            "Reads that may be served by a standby of the database, by outcome.",
            ("outcome",),
            registry=registry,
        )
        self.database_unavailable = Counter(
            "userapi_database_unavailable",
            "Requests that failed because the database was unavailable.",
            ("error",),
            registry=registry,
        )
        for outcome, older in DELIVERY_OUTCOMES.items():  # exported as 0, so that an alert notices the first one
            self.emails.labels(outcome)
            self.letters.labels(older)
        for error in DATABASE_ERROR_NAMES:
            self.database_unavailable.labels(error)
        self._durations: dict[tuple[str, str | None, int], Histogram] = {}

    def count_email(self, outcome: str) -> None:
        """Count an attempt to send an email, under both names."""
        self.emails.labels(outcome).inc()
        self.letters.labels(DELIVERY_OUTCOMES[outcome]).inc()

    def count_standby_read(self, outcome: str) -> None:
        """Count a read that may be served by a standby."""
        self.standby_reads.labels(outcome).inc()

    def collector(self) -> Collector:
        """The counts of all workers that share a folder, or of this process."""
        if not self.folder:
            return self.registry
        _forget_ended_workers(Path(self.folder))
        return MultiProcessCollector(None, self.folder)

    def duration(self, method: str, route: str | None, status: int) -> Histogram:
        """The histogram for the duration of requests."""
        if method not in LABELLED_METHODS:
            method = "other"
        key = (method, route, status // 100)
        found = self._durations.get(key)
        if found is None:
            found = self.requests.labels(method, route or "unmatched", f"{status // 100}xx")
            self._durations[key] = found
        return found


def configure(app: Flask) -> None:
    """Start counting."""
    folder = app.config[FOLDER_SETTING]
    if folder:
        os.environ[FOLDER_SETTING] = folder  # prometheus-client reads it only from there
    values.ValueClass = values.MultiProcessValue() if folder else DEFAULT_VALUE_CLASS
    app.extensions["userapi-metrics"] = Metrics(folder)


def get_metrics(app: Flask) -> Metrics:
    """The counters of an application."""
    metrics: Metrics = app.extensions["userapi-metrics"]
    return metrics


def get_current_metrics() -> Metrics:
    """The counters of the current application."""
    return get_metrics(current_app)


def count_connections(app: Flask, engine: sa.Engine, use: str) -> None:
    """Count the connections of an engine that are in use.

    Args:
        app: the application with the counters.
        engine: the engine with the connections.
        use: the purpose of the connections, a label.
    """
    in_use = get_metrics(app).connections.labels(use)
    sa.event.listen(engine, "checkout", lambda *_arguments: in_use.inc())
    sa.event.listen(engine, "checkin", lambda *_arguments: in_use.dec())
    lost = get_metrics(app).lost_connections.labels(use)
    sa.event.listen(engine, "invalidate", lambda _connection, _record, error: lost.inc() if error else None)


def _forget_ended_workers(folder: Path) -> None:
    """Reset the gauges of workers that have ended; their counts stay."""
    for path in folder.glob("gauge_live*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not _is_running(pid):
            mark_process_dead(pid, str(folder))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
