"""Checks of email delivery and other background work."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import current_app
from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString

from userapi.core import clock, leased_jobs
from userapi.core.i18n import format_timestamp
from userapi.mail import queries as mail_queries

from .findings import Finding, failure, ok, warning

#: An email that has been queued for longer is delayed; a job that has been due for longer has no worker.
MAX_WAIT = timedelta(minutes=15)


def checks(is_database_usable: bool) -> Iterator[Finding]:
    """Email delivery, and the worker.

    Args:
        is_database_usable: otherwise the result is "unknown".
    """
    queued: mail_queries.Queued | None = None
    since: list[datetime | None] = []
    try:
        if is_database_usable:
            now = clock.now()
            queued = mail_queries.queued(now) if current_app.config["MAIL_SERVER"] else None
            since = [leased_jobs.due_since(kind.__table__, now) for kind in leased_jobs.LeasedJob.__subclasses__()]  # type: ignore[attr-defined]
            since.append(queued.due_since if queued else None)
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


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
