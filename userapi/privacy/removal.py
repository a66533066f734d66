"""Deleting closed accounts when their time has come."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy.exc import IntegrityError

from userapi.core import clock, job_runner
from userapi.core.db import db
from userapi.core.hooks import Denied, HookFailed
from userapi.observability import metrics
from userapi.users import accounts
from userapi.users import queries as user_queries
from userapi.users.problems import LastSuperuser

from . import queries

log = logging.getLogger("userapi.privacy")

#: How often the thread of a server looks for accounts that are due, in seconds.
INTERVAL = 3600.0

#: The accounts that are looked up together.
BATCH = 100

DELETED, HELD, LAST_SUPERUSER, DENIED = "deleted", "held", "last_superuser", "denied"


def configure(app: Flask) -> None:
    """Delete closed accounts while the application serves, unless the settings leave that to others."""
    next_round = 0.0

    def delete_hourly(*, stop: Callable[[], bool]) -> bool:
        nonlocal next_round
        if time.monotonic() >= next_round:
            delete_due(stop=stop)
            next_round = time.monotonic() + INTERVAL
        return False

    job_runner.register(app, delete_hourly)


def delete_due(*, stop: Callable[[], bool] = lambda: False) -> int:
    """Delete the closed accounts whose time has come, each once, with any number of workers.

    An account is kept while a legal hold is on it, while an extension denies the deletion, and if no other superuser
    is left. A later call tries again.

    Args:
        stop: called after each account; true ends it early.

    Returns:
        The number of deleted accounts.
    """
    outcomes: Counter[str] = Counter()
    last: Any = None
    stopped = False
    while not stopped and (found := queries.list_due(clock.now(), last, BATCH)):
        last = found[-1]
        for row in found:
            if outcome := _delete(row.id):
                outcomes[outcome] += 1
            if stopped := stop():
                break
    for outcome, number in outcomes.items():
        metrics.get_current_metrics().closed_accounts.labels(outcome).inc(number)
    kept = {name: number for name, number in outcomes.items() if name != DELETED}
    if kept:
        log.warning("closed accounts kept", extra=kept)
    return outcomes[DELETED]


def _delete(user_id: int) -> str | None:
    """Delete one account in its own transaction; what came of it, or None if another worker or a restore was faster."""
    user = queries.lock_due(user_id, clock.now())
    try:
        if user is None:
            return None
        if user.held_reason is not None:
            return HELD
        if user.is_superuser:  # a closed account is not active, so `accounts.delete` does not count it
            user_queries.lock_superusers()
            if not user_queries.has_other_superuser(user.id):
                return LAST_SUPERUSER
        accounts.delete(user)
        db.session.commit()
    except LastSuperuser:
        return LAST_SUPERUSER
    except Denied as problem:
        log.info("deletion of a closed account denied", extra={"user_id": user_id, "code": problem.code})
        return DENIED
    except (HookFailed, IntegrityError):  # a table of an extension may refer to the user
        log.exception("deletion of a closed account failed", extra={"user_id": user_id})
        return DENIED
    else:
        return DELETED
    finally:
        db.session.rollback()
        db.session.expunge_all()
