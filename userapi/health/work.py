"""Checks of email delivery and other background work."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import current_app
from flask_babel import lazy_gettext as _
from flask_babel import lazy_ngettext
from flask_babel.speaklater import LazyString

from userapi.core import clock, leased_jobs
from userapi.core.i18n import format_timestamp
from userapi.mail import queries as mail_queries
from userapi.outbound import notices
from userapi.outbound import queries as notice_queries
from userapi.webhooks import queries as webhook_queries

from .findings import Finding, failure, ok, warning

#: An email that has been queued for longer is delayed; a job that has been due for longer has no worker.
MAX_WAIT = timedelta(minutes=15)


def checks(is_database_usable: bool) -> Iterator[Finding]:
    """Email delivery, the worker, and notices and webhooks if there are any.

    Args:
        is_database_usable: otherwise the result is "unknown".
    """
    queued: mail_queries.Queued | None = None
    since: list[datetime | None] = []
    backlog: notice_queries.Backlog | None = None
    of_webhooks: webhook_queries.Backlog | None = None
    try:
        if is_database_usable:
            now = clock.now()
            queued = mail_queries.queued(now) if current_app.config["MAIL_SERVER"] else None
            since = [leased_jobs.due_since(kind.__table__, now) for kind in leased_jobs.LeasedJob.__subclasses__()]  # type: ignore[attr-defined]
            since.append(queued.due_since if queued else None)
            backlog = notice_queries.read_backlog() if notices.are_in_use() else None
            of_webhooks = webhook_queries.read_backlog(now) if current_app.config["WEBHOOKS"] else None
    except sa.exc.SQLAlchemyError:
        is_database_usable = False
    if not current_app.config["MAIL_SERVER"]:
        yield _no_mail_server()
    elif not is_database_usable:
        yield _unknown("email")
    else:
        yield _email(queued)
    if not is_database_usable:
        yield _unknown("worker")
    else:
        yield _worker(min(filter(None, since), default=None))
    if notices.are_in_use():
        yield _notices(backlog) if is_database_usable and backlog else _unknown("notices")
    if of_webhooks and of_webhooks.webhooks:
        yield _webhooks(of_webhooks)


def _unknown(part: str) -> Finding:
    return warning(part, "unknown: the database is not responding or needs a migration.", "unknown", _("Unknown."))


def _no_mail_server() -> Finding:
    explanation = _("Emails are not sent. Set MAIL_SERVER; docs/settings.md lists the email settings.")
    if current_app.config["EMAIL_VERIFICATION"] == "mandatory":
        text = "MAIL_SERVER is not set, and EMAIL_VERIFICATION is mandatory: no new user can sign in. Set it."
        return failure("email", text, "not configured", explanation)
    text = "MAIL_SERVER is not set: emails are stored, and `flask mail list` shows them. Set it to send them."
    return warning("email", text, "not configured", explanation)


def _email(queued: mail_queries.Queued | None) -> Finding:
    if queued is None or clock.now() - queued.since <= MAX_WAIT:
        text = f"{_count(queued)} queued, none for long" if queued else "no emails are queued"
        return ok("email", text, _("Emails are being delivered."))
    cause = queued.error or "no delivery was attempted"
    hint = "Correct MAIL_* or the mail server" if queued.error else "See `worker` below"
    since = _at(queued.since)
    return failure(
        "email",
        f"{_count(queued)} queued, the oldest since {since}: {cause}. {hint}; `flask mail list` shows all.",
        "delayed",
        _(
            "Emails have been queued since %(moment)s. Cause: %(cause)s.",
            moment=LazyString(format_timestamp, queued.since),
            cause=queued.error or _("no delivery was attempted"),
        ),
    )


def _count(queued: mail_queries.Queued) -> str:
    """The number of queued emails, up to the maximum that is counted."""
    return f"{queued.number}{' or more' if queued.number == mail_queries.MAX_COUNTED else ''}"


def _worker(since: datetime | None) -> Finding:
    if since is None or clock.now() - since <= MAX_WAIT:
        return ok("worker", "no jobs are overdue", _("No jobs are overdue."))
    settings = current_app.config
    if settings["CELERY_BROKER_URL"]:
        hint = "CELERY_BROKER_URL is set: start the Celery worker and beat"
    elif settings["MAIL_DELIVERY"] == "none":
        hint = "MAIL_DELIVERY is none: run `flask mail deliver` regularly, or set it to thread"
    else:
        hint = "Check that the server is running, because its threads do these jobs; its log says what failed"
    return failure(
        "worker",
        f"jobs have been waiting since {_at(since)} and no worker has started them. {hint}.",
        "stopped",
        _(
            "Jobs have been waiting since %(moment)s and no worker has started them.",
            moment=LazyString(format_timestamp, since),
        ),
    )


def _notices(backlog: notice_queries.Backlog) -> Finding:
    """Notices to subscribers of extensions and other services."""
    if backlog.since is not None and clock.now() - backlog.since > MAX_WAIT:
        return warning(
            "notices",
            f"queued since {_at(backlog.since)}. `flask notices list` shows why; a recipient that no extension "
            "registers any more gets none.",
            "delayed",
            _("Notices have been queued since %(moment)s.", moment=LazyString(format_timestamp, backlog.since)),
        )
    if backlog.failed:
        return warning(
            "notices",
            f"{backlog.failed} failed. `flask notices list --state failed` shows why, `flask notices retry` retries.",
            "failed",
            lazy_ngettext("%(num)s notice has failed.", "%(num)s notices have failed.", backlog.failed),
        )
    return ok("notices", "none is delayed or has failed", _("Notices are being delivered."))


def _webhooks(backlog: webhook_queries.Backlog) -> Finding:
    """Events for webhooks."""
    if backlog.since is not None and clock.now() - backlog.since > MAX_WAIT:
        return warning(
            "webhooks",
            f"events have been due since {_at(backlog.since)}. Check that the server or the Celery worker is running, "
            "or run `flask webhooks deliver` regularly.",
            "delayed",
            _(
                "Events for webhooks have been due since %(moment)s.",
                moment=LazyString(format_timestamp, backlog.since),
            ),
        )
    if backlog.disabled:
        return warning(
            "webhooks",
            f"{backlog.disabled} disabled because of errors, {backlog.held} events wait for them. `flask webhooks "
            "deliveries` shows why; `flask webhooks enable` sends them.",
            "disabled",
            lazy_ngettext(
                "%(num)s webhook was disabled because of errors.",
                "%(num)s webhooks were disabled because of errors.",
                backlog.disabled,
            ),
        )
    if backlog.failing:
        return warning(
            "webhooks",
            f"{backlog.failing} failing, {backlog.waiting} events wait. `flask webhooks deliveries` shows why.",
            "failing",
            lazy_ngettext("%(num)s webhook is failing.", "%(num)s webhooks are failing.", backlog.failing),
        )
    return ok("webhooks", f"{backlog.webhooks} in use, none is failing", _("Webhooks are working."))


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
