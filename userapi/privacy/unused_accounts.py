"""Accounts that are not used: their owners are warned twice, then they are closed; unconfirmed ones are deleted."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.exc import IntegrityError

from userapi.core import clock
from userapi.core.db import db
from userapi.core.hooks import Denied, HookFailed
from userapi.mail import retention_emails
from userapi.observability import metrics
from userapi.users import accounts
from userapi.users.site_urls import link

from . import closing
from . import retention_queries as queries

log = logging.getLogger("userapi.privacy")

#: The days before the end of an inactive account on which its owner is warned.
FIRST_WARNING, SECOND_WARNING = 30, 7

#: The accounts that are looked up together.
BATCH = 100

#: Seconds between two accounts on SQLite, which allows one writer at a time, so that sign-ins get their turn.
PAUSE = 0.02

DELETED, WARNED, CLOSED = "deleted", "warned", "closed"


def run(stop: Callable[[], bool]) -> dict[str, int]:
    """See `retention.run`."""
    outcomes: Counter[str] = Counter()
    for act, user_id in _list_acts():
        try:
            outcome = act(user_id)
            db.session.commit()
        except Denied as problem:
            log.info("an extension keeps an unused account", extra={"user_id": user_id, "code": problem.code})
        except (HookFailed, IntegrityError):  # a table of an extension may refer to the user
            log.exception("an extension failed for an unused account", extra={"user_id": user_id})
        else:
            outcomes.update([outcome] if outcome else [])
        finally:
            db.session.rollback()
            db.session.expunge_all()
        if stop():
            break
        if db.engine.dialect.name == "sqlite":
            time.sleep(PAUSE)
    for name, number in outcomes.items():
        metrics.get_current_metrics().unused_accounts.labels(name).inc(number)
    return dict(outcomes)


def _list_acts() -> Iterator[tuple[Callable[[int], str | None], int]]:
    """What is due, with the accounts that it is due for."""
    now, settings = clock.now(), current_app.config
    if unverified := settings["UNVERIFIED_DAYS"]:
        for user_id in _in_batches(queries.list_ids, *queries.is_unverified(now - timedelta(days=unverified))):
            yield _delete_unverified, user_id
    if inactive := settings["INACTIVE_DAYS"]:
        for user_id in _in_batches(queries.list_due, now, timedelta(days=SECOND_WARNING)):
            yield _continue, user_id
        unused_since = now - timedelta(days=inactive - FIRST_WARNING)
        for user_id in _in_batches(queries.list_ids, *queries.is_inactive(unused_since)):
            yield _warn_first, user_id


def _in_batches(read: Callable[..., object], *arguments: object) -> Iterator[int]:
    last = 0
    while found := list(read(last, BATCH, *arguments)):  # type: ignore[call-overload]
        yield from found
        last = found[-1]


def _delete_unverified(user_id: int) -> str | None:
    unused_since = clock.now() - timedelta(days=current_app.config["UNVERIFIED_DAYS"])
    user = queries.lock(user_id, *queries.is_unverified(unused_since))
    if user is None:
        return None
    accounts.delete(user)
    return DELETED


def _warn_first(user_id: int) -> str | None:
    now = clock.now()
    unused_since = now - timedelta(days=current_app.config["INACTIVE_DAYS"] - FIRST_WARNING)
    user = queries.lock(user_id, *queries.is_inactive(unused_since))
    if user is None:
        return None
    ends_at = now + timedelta(days=FIRST_WARNING)
    queries.store_warning(user_id, FIRST_WARNING, ends_at, now)
    retention_emails.send_account_inactive(user, closes_at=ends_at, link=link())
    return WARNED


def _continue(user_id: int) -> str | None:
    """Send the second warning or close the account, unless it was used since the first one."""
    now = clock.now()
    user = queries.lock(user_id, sa.true())
    warning = queries.read_warning(user_id) if user else None
    if user is None or warning is None or warning.warned_at is None or warning.ends_at is None:
        return None
    days_left = SECOND_WARNING if warning.warned_days == FIRST_WARNING else 0
    if warning.ends_at > now + timedelta(days=days_left):
        return None  # another worker was faster
    unused_since = now - timedelta(days=current_app.config["INACTIVE_DAYS"] - days_left)
    is_subject = queries.lock(user_id, *queries.IS_SUBJECT) is not None
    if not is_subject or queries.is_used(user_id, min(unused_since, warning.warned_at)):
        queries.store_warning(user_id, None, None, None)
    elif warning.warned_days == FIRST_WARNING:
        ends_at = max(warning.ends_at, now + timedelta(days=SECOND_WARNING))
        queries.store_warning(user_id, SECOND_WARNING, ends_at, warning.warned_at)
        retention_emails.send_account_inactive(user, closes_at=ends_at, link=link())
        return WARNED
    else:
        queries.store_warning(user_id, None, None, None)
        closing.start_closing(user, by=None)
        return CLOSED
    return None
