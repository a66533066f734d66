"""The contents of `/metrics`: the counters, and the current state of the database and the key folder."""

import hmac
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from flask import current_app, request
from flask_babel import gettext as _
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import GaugeMetricFamily

from userapi.core import clock
from userapi.core.loopback import is_loopback, serves_this_machine_only
from userapi.core.problems import NotFound, NotSignedIn
from userapi.health import checks
from userapi.mail import queries as mail_queries
from userapi.observability import metrics
from userapi.outbound import queries as notice_queries
from userapi.security import key_folder, signing_keys
from userapi.webhooks import queries as webhook_queries

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def require_access() -> None:
    """Require METRICS_TOKEN.

    Without that setting, callers on the same machine have access while SITE_URL is a loopback address, as it is for a
    trial. Behind a proxy, every caller may seem to be on the same machine.

    Raises:
        NotFound: METRICS_TOKEN is not set.
        NotSignedIn: the request does not contain it.
    """
    token = current_app.config["METRICS_TOKEN"]
    if token:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            raise NotSignedIn(_("Send the value of METRICS_TOKEN: Authorization: Bearer <token>."))
    elif not (serves_this_machine_only() and is_loopback(request.remote_addr)):
        raise NotFound


def as_text() -> bytes:
    """All metrics in Prometheus's text format."""
    return generate_latest(_Everything())


class _Everything:
    """The counters, and what is read now; what cannot be read is left out."""

    def collect(self) -> Iterator[Any]:
        yield from metrics.get_current_metrics().collector().collect()
        yield from _readiness()
        yield from _queued_emails()
        yield from _webhooks()
        yield from _logout_notices()
        yield from _keys()


def _readiness() -> Iterator[Any]:
    ready = GaugeMetricFamily("userapi_ready", "Whether each part works, as in /readyz.", labels=["check"])
    for finding in checks.run():
        ready.add_metric([finding.part], float(finding.state == "ok"))
    yield ready


def _queued_emails() -> Iterator[Any]:
    """The email queue, under the present and the older names of its metrics."""
    try:
        count, oldest = mail_queries.backlog()
    except sa.exc.SQLAlchemyError:
        return
    age = (clock.now() - oldest).total_seconds() if oldest else 0
    for name in ("userapi_queued_emails", "userapi_outbox_letters"):
        yield GaugeMetricFamily(name, "Emails that are neither sent nor failed.", count)
    for name in ("userapi_oldest_queued_email_seconds", "userapi_outbox_oldest_letter_seconds"):
        yield GaugeMetricFamily(name, "How long the oldest of these emails has been waiting.", age)


def _webhooks() -> Iterator[Any]:
    """Deliveries to webhooks."""
    try:
        backlog = webhook_queries.read_backlog(clock.now()) if current_app.config["WEBHOOKS"] else None
    except sa.exc.SQLAlchemyError:
        return
    if backlog is None:
        return
    age = (clock.now() - backlog.since).total_seconds() if backlog.since else 0
    yield GaugeMetricFamily("userapi_webhook_deliveries_waiting", "Deliveries that wait.", backlog.waiting)
    yield GaugeMetricFamily("userapi_webhook_deliveries_held", "Those whose webhook is disabled.", backlog.held)
    yield GaugeMetricFamily("userapi_webhook_oldest_due_seconds", "How long the oldest has been due.", age)


def _logout_notices() -> Iterator[Any]:
    """Notices to clients of the OpenID provider; without a client, nothing is read."""
    if not current_app.config["OPENID_PROVIDER"]:
        return
    from userapi.openid import apps, logout_notices  # without the setting, nothing of it is imported

    backlog = notice_queries.Backlog(None, 0, 0)
    try:
        if apps.has_any_client():
            backlog = notice_queries.read_backlog(logout_notices.KIND)
    except sa.exc.SQLAlchemyError:
        return
    notices = GaugeMetricFamily("userapi_logout_notices", "Notices that a session has ended.", labels=["state"])
    notices.add_metric(["due"], backlog.due)
    notices.add_metric(["failed"], backlog.failed)
    yield notices
    age = (clock.now() - backlog.since).total_seconds() if backlog.since else 0
    yield GaugeMetricFamily("userapi_logout_notice_oldest_seconds", "How long the oldest due one has been queued.", age)


def _keys() -> Iterator[Any]:
    ring = signing_keys.get_key_ring()
    try:
        keys = ring.all()
        age = (clock.now() - ring.created_at(keys[0])).total_seconds()
    except (key_folder.KeyFolderError, OSError, IndexError):
        return
    yield GaugeMetricFamily("userapi_signing_keys", "Keys that verify tokens.", len(keys))
    yield GaugeMetricFamily("userapi_signing_key_age_seconds", "The age of the current signing key.", age)
