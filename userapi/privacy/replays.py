"""Doing again what happened to accounts after a backup, once a database was restored from it (decision 0097)."""

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from flask import current_app
from sqlalchemy.exc import IntegrityError

from userapi.core.db import db
from userapi.core.hooks import Denied, HookFailed
from userapi.users import accounts
from userapi.users import queries as user_queries
from userapi.users.models import User
from userapi.users.problems import AccountHeld, LastSuperuser

from . import closing, queries
from .deletion_events import Change, Departure

log = logging.getLogger("userapi.privacy")


class Outcome(StrEnum):
    """What came of one account."""

    DELETED = "deleted"
    CLOSED = "closed"
    ABSENT = "absent"  # it is not in this database, or is as it should be
    OTHER = "other"  # the id belongs to a user who joined later
    KEPT = "kept"  # a legal hold, the last superuser, or an extension


def list_present(departures: Iterable[Departure]) -> list[Departure]:
    """Those of the accounts that are in this database, and of the restored ones those that are closed in it."""
    found = list(departures)
    present = user_queries.find_emails({departure.user_id for departure in found})
    closed = queries.find_closed({departure.user_id for departure in found if departure.change is Change.RESTORED})
    return [
        departure
        for departure in found
        if departure.user_id in (closed if departure.change is Change.RESTORED else present)
    ]


def replay(departures: Iterable[Departure]) -> Counter[Outcome]:
    """Delete accounts that were deleted, and close those that were closed, each in its own transaction.

    The days in which a closed account can be restored begin again, and its owner gets a new link. So does the owner of
    an account that had been closed before the backup and was restored since: with the password of that time, someone
    else might come in.
    """
    outcomes: Counter[Outcome] = Counter()
    for departure in departures:
        try:
            outcomes[_replay(departure)] += 1
            db.session.commit()
        except (AccountHeld, LastSuperuser, Denied):
            db.session.rollback()
            outcomes[Outcome.KEPT] += 1
        except (HookFailed, IntegrityError):  # a table of an extension may refer to the user
            db.session.rollback()
            log.exception("replay of a deletion failed", extra={"user_id": departure.user_id})
            outcomes[Outcome.KEPT] += 1
        db.session.expunge_all()
    return outcomes


def _replay(departure: Departure) -> Outcome:
    user = user_queries.lock_user(departure.user_id)
    if user is None:
        return Outcome.ABSENT
    if user.date_joined > departure.at:  # ids after the backup are given again
        return Outcome.OTHER
    if departure.change is Change.DELETED:
        accounts.delete(user)
        return Outcome.DELETED
    if departure.change is Change.CLOSED and user.is_active:
        closing.start_closing(user, by=None)
        return Outcome.CLOSED
    if departure.change is Change.RESTORED and _ends_too_early(user, departure.at):
        accounts.activate(user)
        closing.start_closing(user, by=None)
        return Outcome.CLOSED
    return Outcome.ABSENT


def _ends_too_early(user: User, restored_at: datetime) -> bool:
    """Whether an account that was restored is closed in this database, and its days have not begun again yet."""
    days = timedelta(days=current_app.config["CLOSING_DAYS"])
    return not user.is_active and user.closes_at is not None and user.closes_at <= restored_at + days
