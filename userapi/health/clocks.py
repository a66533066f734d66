"""Compares this machine's clock with those of the machines that it uses."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import sqlalchemy as sa

from userapi.core import clock, derived_settings
from userapi.core.db import AUTOCOMMIT, db
from userapi.security import throttling

from .findings import Finding, failure, ok, warning

#: The maximum difference between clocks, in seconds.
NEAR = 2


def check() -> Iterator[Finding]:
    """Compare the clock with those of the machines that respond."""
    moments: dict[str, datetime] = {}
    with suppress(sa.exc.SQLAlchemyError):
        if db.engine.dialect.name == "postgresql":
            with db.engines[AUTOCOMMIT].connect() as connection:
                moments["the database server"] = connection.scalar(sa.text("SELECT clock_timestamp()"))
    if (moment := throttling.read_redis_clock()) is not None:
        moments["Redis"] = moment
    if not moments:
        yield ok("clock", f"{clock.now():%Y-%m-%d %H:%M:%S} UTC; there is no other clock to compare it with")
    for whose, moment in moments.items():
        apart = abs((clock.now() - moment).total_seconds())
        advice = "Synchronize both clocks with NTP."
        if apart > derived_settings.MAX_CLOCK_SKEW:
            yield failure("clock", f"{apart:.0f} s apart from the clock of {whose}: tokens will be rejected. {advice}")
        elif apart > NEAR:
            yield warning("clock", f"{apart:.0f} s apart from the clock of {whose}. {advice}")
        else:
            yield ok("clock", f"same time as {whose}")
