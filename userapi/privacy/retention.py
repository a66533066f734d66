"""What the settings INACTIVE_DAYS and UNVERIFIED_DAYS have done to accounts; nothing without them."""

import time
from collections.abc import Callable

from flask import Flask, current_app

from userapi.core import job_runner

#: How often the thread of a server looks for such accounts, in seconds.
INTERVAL = 3600.0


def is_on(app: Flask) -> bool:
    """Whether there is anything to do."""
    return bool(app.config["INACTIVE_DAYS"] or app.config["UNVERIFIED_DAYS"])


def configure(app: Flask) -> None:
    """Look for such accounts while the application serves, unless the settings leave that to others."""
    if not is_on(app):
        return
    next_round = 0.0

    def retain_hourly(*, stop: Callable[[], bool]) -> bool:
        nonlocal next_round
        if time.monotonic() >= next_round:
            run(stop=stop)
            next_round = time.monotonic() + INTERVAL
        return False

    job_runner.register(app, retain_hourly)


def run(*, stop: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Delete unconfirmed accounts, warn the owners of inactive ones, and close these.

    Each account has a transaction of its own, so others wait for none of them long. Any number of workers may do this
    at the same time.

    Args:
        stop: called after each account; true ends it early.

    Returns:
        The number of accounts by what was done: `deleted`, `warned`, `closed`.
    """
    if not is_on(current_app):
        return {}
    from . import unused_accounts  # without these settings, nothing of it is imported

    return unused_accounts.run(stop)
