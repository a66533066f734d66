"""Compares this machine's clock with those of the machines that it uses."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import sqlalchemy as sa
from flask import current_app
from redis import Redis
from redis.exceptions import RedisError

from userapi.core import clock, derived_settings
from userapi.core.db import AUTOCOMMIT, db
from userapi.security.redis_counters import REDIS_TIMEOUT

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
    with suppress(RedisError):
        if current_app.config["REDIS_URL"]:
            with _connected(current_app.config["REDIS_URL"]) as redis:
                seconds, microseconds = redis.time()
                moments["Redis"] = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
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


def _connected(url: str) -> Redis:
    """A client with a short timeout."""
    return Redis.from_url(url, socket_connect_timeout=REDIS_TIMEOUT, socket_timeout=REDIS_TIMEOUT)
