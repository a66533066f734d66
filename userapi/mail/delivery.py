"""Delivering what is in the outbox: every letter at least once, by any number of deliverers at a time.

A letter is claimed for the time of a lease, handed to the mail server, and its fate written down at once. A deliverer
that dies in between loses nothing: the lease runs out and another sends the letter, under the same Message-ID.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from flask import current_app

from userapi.core import clock
from userapi.core.db import db
from userapi.observability import metrics

from . import queries
from .outbox import BLANK
from .relay import Delayed, NotAdmitted, Refused, Relay, Unreachable

log = structlog.get_logger("userapi.mail")

#: Between two attempts, in seconds.
FIRST_DELAY = 5
LONGEST_DELAY = 3600

#: A lease lasts as many waits for the mail server: longer than a letter takes, even on a slow day.
LEASE_IN_TIMEOUTS = 6

#: What is kept of the words of a mail server.
LONGEST_ERROR = 500


@dataclass
class Counts:
    """What became of the letters of one round.

    Attributes:
        sent: taken by the mail server.
        delayed: to be tried again.
        given_up: refused for good, or tried often enough.
        unreachable: whether the round ended early, because the mail server was not to be talked to.
    """

    sent: int = 0
    delayed: int = 0
    given_up: int = 0
    unreachable: bool = False

    @property
    def attempted(self) -> int:
        """How many letters were tried."""
        return self.sent + self.delayed + self.given_up

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.sent + other.sent,
            self.delayed + other.delayed,
            self.given_up + other.given_up,
            self.unreachable or other.unreachable,
        )


def deliver_due(
    limit: int, *, progress: Callable[[], object] = lambda: None, stop: Callable[[], bool] = lambda: False
) -> Counts:
    """Deliver letters that are due, each in transactions of its own.

    Does nothing without a MAIL_SERVER: letters are kept.

    Args:
        limit: at most as many.
        progress: called after each letter.
        stop: asked before each letter; ends the round.

    Returns:
        What became of them.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is away. A letter just sent may then be sent again.
    """
    counts = Counts()
    if not current_app.config["MAIL_SERVER"]:
        return counts
    with Relay() as relay:
        while counts.attempted < limit and not counts.unreachable and not stop():
            letter = queries.claim(clock.now(), _lease())
            db.session.commit()
            if letter is None:
                break
            _deliver(letter, relay, counts)
            db.session.commit()
            progress()
    return counts


def delay(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubled each time up to an hour, a quarter more or less."""
    seconds = min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY)
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load, guards nothing


def _deliver(letter: sa.Row[Any], relay: Relay, counts: Counts) -> None:
    try:
        if letter.attempts > current_app.config["MAIL_MAX_ATTEMPTS"]:  # counted when claimed, by deliverers that died
            raise Refused(letter.last_error or "No delivery attempt finished.")
        relay.deliver(letter)
    except Refused as error:
        _give_up(letter, error, counts)
    except Delayed as error:
        counts.unreachable = isinstance(error, Unreachable)
        _delay(letter, error, counts)
    except Exception as error:
        log.exception("letter failed", letter=letter.id, kind=letter.kind)
        _delay(letter, error, counts)
    else:
        _mark_sent(letter, counts)


def _mark_sent(letter: sa.Row[Any], counts: Counts) -> None:
    counts.sent += 1
    metrics.counted().letters.labels("sent").inc()
    queries.settle(
        letter,
        sent_at=clock.now(),
        due_at=None,
        text=_blanked(letter.text, letter.secret),
        html=_blanked(letter.html, letter.secret),
        secret=None,
        last_error=None,
    )
    log.info("letter sent", letter=letter.id, kind=letter.kind, attempts=letter.attempts)


def _delay(letter: sa.Row[Any], error: Exception, counts: Counts) -> None:
    # What only the settings or the mail server can put right is no attempt: the email waits until it is.
    attempts = letter.attempts - isinstance(error, NotAdmitted)
    if attempts >= current_app.config["MAIL_MAX_ATTEMPTS"]:
        _give_up(letter, error, counts)
        return
    counts.delayed += 1
    metrics.counted().letters.labels("delayed").inc()
    due_at: datetime = clock.now() + delay(letter.attempts)
    said = _error(letter, error)
    queries.settle(letter, due_at=due_at, attempts=attempts, last_error=said)
    log.warning("letter delayed", letter=letter.id, kind=letter.kind, attempts=attempts, until=due_at, error=said)


def _give_up(letter: sa.Row[Any], error: Exception, counts: Counts) -> None:
    """Stop trying. The secret stays, so that `flask mail retry` sends a letter that works; its token ends by itself."""
    counts.given_up += 1
    metrics.counted().letters.labels("given_up").inc()
    said = _error(letter, error)
    queries.settle(letter, due_at=None, given_up_at=clock.now(), last_error=said)
    log.error("letter given up", letter=letter.id, kind=letter.kind, attempts=letter.attempts, error=said)


def _lease() -> timedelta:
    return timedelta(seconds=LEASE_IN_TIMEOUTS * current_app.config["MAIL_TIMEOUT"])


def _error(letter: sa.Row[Any], error: Exception) -> str:
    """What went wrong, in one line; some mail servers quote what they are told, and the log is not to know it."""
    line = " ".join(_blanked(str(error), letter.secret).replace(letter.recipient, BLANK).split())
    return "".join(character for character in line if character.isprintable())[:LONGEST_ERROR]


def _blanked(text: str, secret: str | None) -> str:
    return text.replace(secret, BLANK) if secret else text
