"""Delivery of queued emails: each at least once, by any number of workers at the same time.

A worker claims an email (see `core/leases.py`), sends it, and writes the outcome immediately. If the worker is killed
before that, the next one sends the email again, with the same Message-ID.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app

from userapi.core import backoff, clock, leases
from userapi.core.db import db
from userapi.core.leases import LeaseLost
from userapi.observability import metrics

from . import queries
from .queue import REDACTED, remove_secrets
from .relay import Delayed, NotOffered, Rejected, Relay, Unreachable

log = logging.getLogger("userapi.mail")

#: Seconds between the first two attempts, and the most between any two.
FIRST_DELAY = 5
MAX_DELAY = 3600

#: A lease lasts for this many times MAIL_TIMEOUT: longer than the slowest delivery, which waits for several responses.
LEASE_IN_TIMEOUTS = 6

#: The number of characters that are stored of a mail server's response.
MAX_ERROR_LENGTH = 500


@dataclass
class Counts:
    """The outcome of one round.

    Attributes:
        sent: emails that the mail server accepted.
        delayed: emails to be tried again.
        failed: emails that were rejected permanently or had all their attempts.
        unreachable: whether the round ended early because the mail server did not respond or did not let us in.
    """

    sent: int = 0
    delayed: int = 0
    failed: int = 0
    unreachable: bool = False

    @property
    def attempted(self) -> int:
        """The number of emails that were tried."""
        return self.sent + self.delayed + self.failed

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.sent + other.sent,
            self.delayed + other.delayed,
            self.failed + other.failed,
            self.unreachable or other.unreachable,
        )


def deliver_due(
    limit: int, *, progress: Callable[[], object] = lambda: None, stop: Callable[[], bool] = lambda: False
) -> Counts:
    """Deliver emails that are due, each in transactions of its own. Does nothing without MAIL_SERVER.

    Args:
        limit: the maximum number.
        progress: called after each email.
        stop: called before each email; true ends the round.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is unavailable. An email that was just sent may be sent again.
    """
    counts = Counts()
    if not current_app.config["MAIL_SERVER"]:
        return counts
    lease = timedelta(seconds=LEASE_IN_TIMEOUTS * current_app.config["MAIL_TIMEOUT"])
    with Relay() as relay:
        while counts.attempted < limit and not counts.unreachable and not stop():
            email = queries.claim(clock.now(), lease)
            db.session.commit()
            if email is None:
                break
            try:
                _deliver(email, relay, counts)
                db.session.commit()
            except LeaseLost:
                db.session.rollback()
                log.warning("email lease lost", extra={"email": email.id, "kind": email.kind})
            progress()
    return counts


def retry_delay(attempts: int) -> timedelta:
    """How long to wait after a number of attempts."""
    return timedelta(seconds=backoff.seconds(attempts, FIRST_DELAY, MAX_DELAY))


def _deliver(email: sa.Row[Any], relay: Relay, counts: Counts) -> None:
    try:
        if email.attempts > current_app.config["MAIL_MAX_ATTEMPTS"]:  # its workers were killed during the attempts
            raise Rejected(email.last_error or "No delivery attempt finished.")
        if email.expires_at is not None and email.expires_at <= clock.now():
            raise Rejected("Not sent, because what it contains has expired.")
        relay.deliver(email)
    except Rejected as error:
        _mark_failed(email, error, counts)
    except Delayed as error:
        counts.unreachable = isinstance(error, Unreachable)
        _delay(email, error, counts)
    except Exception as error:
        log.exception("email delivery error", extra={"email": email.id, "kind": email.kind})
        _delay(email, error, counts)
    else:
        _mark_sent(email, counts)


def _mark_sent(email: sa.Row[Any], counts: Counts) -> None:
    counts.sent += 1
    metrics.get_current_metrics().count_email("sent")
    _settle(
        email,
        sent_at=clock.now(),
        due_at=None,
        text=remove_secrets(email.secret, email.text),
        html=remove_secrets(email.secret, email.html),
        secret=None,
        last_error=None,
    )
    log.info("email sent", extra={"email": email.id, "kind": email.kind, "attempts": email.attempts})


def _delay(email: sa.Row[Any], error: Exception, counts: Counts) -> None:
    # An attempt is not counted if the email was not offered: the settings or the mail server have to be fixed first.
    attempts = email.attempts - isinstance(error, NotOffered)
    if attempts >= current_app.config["MAIL_MAX_ATTEMPTS"]:
        _mark_failed(email, error, counts)
        return
    counts.delayed += 1
    metrics.get_current_metrics().count_email("delayed")
    due_at: datetime = clock.now() + retry_delay(email.attempts)
    reason = _reason(email, error)
    _settle(email, due_at=due_at, attempts=attempts, last_error=reason)
    log.warning(
        "email delayed",
        extra={"email": email.id, "kind": email.kind, "attempts": attempts, "until": due_at, "error": reason},
    )


def _mark_failed(email: sa.Row[Any], error: Exception, counts: Counts) -> None:
    """Stop trying. The secret stays, so that the link works after `flask mail retry`; its token expires by itself."""
    counts.failed += 1
    metrics.get_current_metrics().count_email("failed")
    reason = _reason(email, error)
    _settle(email, due_at=None, given_up_at=clock.now(), last_error=reason)
    log.error(
        "email failed", extra={"email": email.id, "kind": email.kind, "attempts": email.attempts, "error": reason}
    )


def _settle(email: sa.Row[Any], **outcome: Any) -> None:
    leases.finish(queries.emails, email, **outcome)


def _reason(email: sa.Row[Any], error: Exception) -> str:
    """The error in one line, without recipient and secret: some mail servers quote them, and it is logged."""
    line = " ".join(remove_secrets(email.secret, str(error)).replace(email.recipient, REDACTED).split())
    return "".join(character for character in line if character.isprintable())[:MAX_ERROR_LENGTH]
