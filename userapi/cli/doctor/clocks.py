"""This machine's clock, beside those of the machines it works with."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import sqlalchemy as sa
from flask import current_app
from redis import Redis
from redis.exceptions import RedisError

from userapi import settings
from userapi.core import clock
from userapi.core.db import AUTOCOMMIT, db
from userapi.health.findings import Finding, failure, ok, warning
from userapi.security.redis_counters import REDIS_TIMEOUT

#: Seconds that clocks in good order stay within.
NEAR = 2


def check() -> Iterator[Finding]:
    """Compare it with the clocks of the machines that answer."""
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
        if apart > settings.MAX_CLOCK_SKEW:
            yield failure("clock", f"{apart:.0f} s apart from the clock of {whose}: tokens will be rejected. {advice}")
        elif apart > NEAR:
            yield warning("clock", f"{apart:.0f} s apart from the clock of {whose}. {advice}")
        else:
            yield ok("clock", f"same time as {whose}")


def _connected(url: str) -> Redis:
    """A client that does not wait long."""
    return Redis.from_url(url, socket_connect_timeout=REDIS_TIMEOUT, socket_timeout=REDIS_TIMEOUT)
