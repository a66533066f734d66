"""Throttles: how often something may be tried, counted before it is tried.

A throttle is a setting, `RATELIMIT_<NAME>` as "10 per 5 minutes", and it counts for whatever a rule names: a client, an
account, the pair of them. Each process counts in its memory; with `REDIS_URL` set, all processes count together in
Redis, and while Redis is away each goes on from its own counts.

The storage of Redis is that of limits, the library below Flask-Limiter. Flask-Limiter itself counts for routes, at the
door; our rules are reached by several doors, count for accounts as well as clients, and give back what a success spent.
"""

import functools
import hashlib
import ipaddress
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

from flask import Flask, current_app
from flask_babel import lazy_gettext, ngettext
from limits import RateLimitItem, parse
from limits.storage import RedisStorage, storage_from_string
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from . import metrics
from .context import acting, asked
from .problems import Problem, Unavailable
from .signing import derived_key

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

PREFIX = "RATELIMIT_"

#: How long a request waits for Redis, and how long all leave it alone once it did not answer, in seconds.
PATIENCE = 0.5
ABSENCE = 2.0


class TooManyRequests(Problem):
    """Something was tried too often (RFC 6585, section 4)."""

    status = 429
    code = "rate_limited"
    title = lazy_gettext("Too many requests")
    detail = lazy_gettext("Too many attempts. Try again after as many seconds as Retry-After says.")


class Counters(Protocol):
    """What counts: each key for itself, from its first unit on until its time is over."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count that lives for `expiry` seconds, all at once, and give the sum."""

    def get_expiry(self, key: str) -> float:
        """When a count ends, in seconds since the epoch."""


class Memory:
    """The counts of this process.

    Not the memory storage of limits: that one loses units when threads begin a count at once, starts a thread for
    nearly every unit, and has it look at every count.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._most = 1000

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count; below nothing it does not go."""
        with self._lock:
            now = time.monotonic()
            count, end = self._counts.get(key, (0, 0.0))
            if end <= now:
                count, end = 0, now + expiry
            count = max(count + amount, 0)
            self._counts[key] = (count, end)
            if len(self._counts) > self._most:
                self._counts = {
                    key: counted for key, counted in self._counts.items() if counted[0] and counted[1] > now
                }
                self._most = max(1000, 2 * len(self._counts))
            return count

    def get_expiry(self, key: str) -> float:
        """When a count ends."""
        with self._lock:
            _count, end = self._counts.get(key, (0, 0.0))
        return time.time() + max(end - time.monotonic(), 0)


class Throttles:
    """The throttles of one application.

    Args:
        limits: how much each allows, by name.
        redis: where the processes count together; None when each counts alone.
    """

    def __init__(self, limits: Mapping[str, RateLimitItem], redis: RedisStorage | None) -> None:
        self.limits = limits
        self.memory = Memory()
        self.redis = redis
        self._ask_again_at: float | None = None

    def add(self, name: str, key: str, amount: int = 1) -> tuple[int, Counters]:
        """Count, and tell the sum and who says so; memory counts along, lest it begin at nothing once it must."""
        seconds = self.limits[name].get_expiry()
        here = self.memory.incr(key, seconds, amount)
        together = self.ask(lambda redis: redis.incr(key, seconds, amount))
        return (here, self.memory) if together is None else (together, cast(Counters, self.redis))

    def seconds_left(self, key: str, counters: Counters) -> int:
        """How long a count goes on, at least a second."""
        end = self.memory.get_expiry(key) if counters is self.memory else self.ask(lambda redis: redis.get_expiry(key))
        return max(1, math.ceil((end or 0) - time.time()))

    def ask(self, question: Callable[[RedisStorage], Answer]) -> Answer | None:
        """What Redis answers; None while it is away. Then one request now and again looks whether it is back."""
        if self.redis is None:
            return None
        was_away = self._ask_again_at is not None
        if self._ask_again_at is not None:
            if time.monotonic() < self._ask_again_at:
                return None
            self._ask_again_at = time.monotonic() + ABSENCE
        try:
            answer = question(self.redis)
        except RedisError as error:
            self._ask_again_at = time.monotonic() + ABSENCE
            if not was_away:
                log.error("redis is away: each process throttles by its own counts", extra={"error": repr(error)})
            return None
        if was_away:
            self._ask_again_at = None
            log.warning("redis is back: all processes throttle together")
        return answer


def configure(app: Flask) -> None:
    """Set the throttles up from the settings."""
    limits = {
        name.removeprefix(PREFIX): parse(value)
        for name, value in app.config.items()
        if name.startswith(PREFIX) and isinstance(value, str)
    }
    for name in limits:
        metrics.of(app).throttled.labels(name.lower())  # from nothing on, so that the first one shows
    url = app.config["REDIS_URL"]
    app.extensions["userapi-throttles"] = Throttles(limits, _redis(url) if url else None)


def spend(name: str, *of: str) -> None:
    """Spend one unit of a throttle.

    Args:
        name: of the throttle, as its setting without `RATELIMIT_`.
        of: for whom it counts.

    Raises:
        TooManyRequests: there is none left.
    """
    _spend(name, of, lambda: False)


def allows(name: str, *of: str) -> bool:
    """Spend one unit of a throttle, and tell whether there was one: for answers that must not give it away."""
    try:
        _spend(name, of, lambda: False)
    except TooManyRequests:
        return False
    return True


@contextmanager
def failures(name: str, *of: str, unless: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Count what fails in the block: a unit is spent before it, and given back when nothing was wrong.

    So guesses made at once are all counted before the first is answered, whoever has the secret may use it as often as
    they like, and one success does not pardon another's failures.

    Args:
        name: of the throttle.
        of: for whom it counts.
        unless: asked once there is nothing left; True lets the block run all the same.

    Raises:
        TooManyRequests: there is nothing left.
    """
    _spend(name, of, unless)
    try:
        yield
    except (TooManyRequests, Unavailable):
        _give_back(name, of)  # nothing was tried
        raise
    _give_back(name, of)


def client() -> str:
    """For whom a throttle counts that is about a network address: the client of this request."""
    return network(asked().remote_addr)


@functools.lru_cache(maxsize=1000)
def network(address: str | None) -> str:
    """What an address counts as: itself, or the /64 of an IPv6 address, since each customer has a whole one."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)


def redis_answers() -> bool | None:
    """Whether Redis does; None where each process counts alone."""
    throttles = _throttles()
    return None if throttles.redis is None else bool(throttles.ask(lambda redis: redis.storage.ping()))


def _spend(name: str, of: tuple[str, ...], unless: Callable[[], bool]) -> None:
    if not current_app.config["RATELIMIT_ENABLED"]:
        return
    throttles, key = _throttles(), _key(name, of)
    limit = throttles.limits[name]
    count, counters = throttles.add(name, key)
    if count <= limit.amount or unless():
        return
    seconds = throttles.seconds_left(key, counters)
    throttles.add(name, key, -1)  # else those refused at once would keep out who comes after
    metrics.counted().throttled.labels(name.lower()).inc()
    log.warning("throttled", extra={"throttle": name, "address": acting().address})
    policy = name.lower().replace("_", "-")
    raise TooManyRequests(
        ngettext(
            "Too many attempts. Try again in a second.",
            "Too many attempts. Try again in %(num)s seconds.",
            seconds,
        ),
        headers={
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"{policy}";q={limit.amount};w={limit.get_expiry()}',
            "RateLimit": f'"{policy}";r=0;t={seconds}',
        },
    )


def _give_back(name: str, of: tuple[str, ...]) -> None:
    if current_app.config["RATELIMIT_ENABLED"]:
        _throttles().add(name, _key(name, of), -1)


def _key(name: str, of: tuple[str, ...]) -> str:
    """Under which name it is counted: nobody can read from Redis who signs in here."""
    digest = hashlib.blake2b("\0".join(of).encode("utf-8", "replace"), key=derived_key("throttles"), digest_size=16)
    return f"{name}:{digest.hexdigest()}"


def _redis(url: str) -> RedisStorage:
    options: dict[str, Any] = {
        "key_prefix": "userapi",
        "socket_connect_timeout": PATIENCE,
        "socket_timeout": PATIENCE,
        # Once more, at once: a connection that was idle while Redis was started anew is dead.
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    }
    return cast(RedisStorage, storage_from_string(url, **options))


def _throttles() -> Throttles:
    throttles: Throttles = current_app.extensions["userapi-throttles"]
    return throttles
