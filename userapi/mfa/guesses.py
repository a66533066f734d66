"""Counting wrong codes in the row of the account, so that neither more clients nor more sessions allow more guesses.

A code is counted before it is checked, and the counter starts at 0 again when one is accepted. It is not a throttle:
RATELIMIT_ENABLED does not affect it.
"""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.core.hooks import Denied
from userapi.mail import factor_emails
from userapi.security.throttling import TooManyRequests, describe_wait

from . import factors, queries
from .problems import InvalidCode, SecondStepLocked, WrongSetUpCode
from .queries import FAILURES_AFTER_RESET, FINAL_FAILURES, FREE_FAILURES, WAITS, is_locked

log = logging.getLogger(__name__)

#: The owner is warned about wrong codes at most this often.
WARNING_INTERVAL = timedelta(days=1)


@contextmanager
def attempt(user_id: int, kind: str = "code") -> Iterator[None]:
    """Count a code that the block checks; a wrong one is recorded and committed, a good one clears the count.

    Nothing may have been written before the block, because the count commits by itself.

    Args:
        user_id: the account.
        kind: what is checked, for the audit log.

    Raises:
        InvalidCode: the block raised it, or the account has no second factor.
        WrongSetUpCode: the block raised it.
        TooManyRequests, SecondStepLocked: the block did not run.
        Denied: the block raised it; a code that was right is not counted.
    """
    count(user_id)
    try:
        yield
    except (InvalidCode, WrongSetUpCode):
        db.session.rollback()
        record_failure(user_id, kind)
        db.session.commit()
        raise
    except Denied:  # the code was right, but an extension does not allow what it is for
        db.session.rollback()
        clear(user_id)
        db.session.commit()
        raise
    clear(user_id)


def count(user_id: int) -> None:
    """Count a code before it is checked; the count is committed even if the request fails.

    Raises:
        InvalidCode: the account has no second factor.
        TooManyRequests: the account has to wait after wrong codes.
        SecondStepLocked: there were too many wrong codes.
    """
    now = clock.now()
    if queries.count_guess(user_id, now) is not None:
        return
    found = queries.read_failures(user_id)
    if found is None:
        raise InvalidCode
    if is_locked(found.failures):
        raise SecondStepLocked(_explain_lock(user_id, found.failures))
    wait = next(wait for below, wait in WAITS if found.failures < below)
    seconds = max(1, math.ceil((found.last_failed_at + wait - now).total_seconds())) if found.last_failed_at else 1
    log.warning("second step throttled", extra={"user": user_id})
    raise TooManyRequests(describe_wait(seconds), headers={"Retry-After": str(seconds)})


def _explain_lock(user_id: int, failures: int) -> str | None:
    """What helps; None for a password reset. An account whose factors could not be imported has no way to use."""
    found = factors.summary(user_id)
    if found is None or not found.ways:
        return str(SecondStepLocked.without_ways)
    return str(SecondStepLocked.after_reset) if failures >= FINAL_FAILURES else None


def clear(user_id: int) -> None:
    """Set the count to 0, in the transaction of what was proved."""
    queries.clear_failures(user_id)


def record_failure(user_id: int, kind: str) -> None:
    """Record a wrong code, and warn the owner about the fifth in a row and about the last one that is accepted.

    Args:
        user_id: the account.
        kind: what was checked, for the audit log.
    """
    found = queries.read_failures(user_id)
    audit_log.record("second_step.failed", "user", user_id, {"kind": (None, kind)})
    user = queries.find_user(user_id)
    if found is None or user is None or found.active_since is None:
        return  # a typing error while the first app is set up
    now = clock.now()
    if is_locked(found.failures):
        audit_log.record("second_step.locked", "user", user_id)
        factor_emails.send_second_step_locked(user, when=now, reset_helps=found.failures < FINAL_FAILURES)
    elif found.failures >= FREE_FAILURES and queries.set_failing_reported(user_id, now, now - WARNING_INTERVAL):
        factor_emails.send_second_step_failing(user, when=now)


def allow_codes_after_reset(user_id: int) -> None:
    """Let a user who has reset the password try ten more codes if a hundred wrong ones have locked the account.

    The count stays otherwise: the reset only shows who reads the mailbox, and they could guess without end.
    """
    if queries.allow_codes_after_reset(user_id):
        audit_log.record("factors.unlocked", "user", user_id, {"codes": (None, FINAL_FAILURES - FAILURES_AFTER_RESET)})


def unlock(user_id: int) -> bool:
    """Let a user enter codes again; False if no code was counted."""
    if not queries.clear_failures(user_id):
        return False
    audit_log.record("factors.unlocked", "user", user_id)
    return True
