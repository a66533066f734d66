"""Throttles: how often something may be tried, counted before it is tried.

A throttle is a setting, `RATELIMIT_<NAME>` as "10 per 5 minutes", and it counts for whatever a rule names: a client, an
account, the pair of them. Each process counts in its memory; with `REDIS_URL` set, all processes count together in
Redis, and while Redis is away each goes on from its own counts.

Limits and Redis are those of limits, the library below Flask-Limiter. Flask-Limiter itself counts for routes, at the
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
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from flask import Flask, current_app
from flask_babel import lazy_gettext, ngettext
from limits import RateLimitItem, parse

from userapi.core.context import acting, current_request
from userapi.core.problems import Problem, Unavailable
from userapi.observability import metrics

from .signing_keys import derived_key

if TYPE_CHECKING:
    from .redis_counters import SharedCounts

log = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[..., Any])

PREFIX = "RATELIMIT_"

#: Waits shorter than this are shown to the caller in seconds, longer ones in minutes.
SECONDS_SHOWN = 120


class TooManyRequests(Problem):
    """Something was tried too often (RFC 6585, section 4)."""

    status = 429
    code = "rate_limited"
    title = lazy_gettext("Too many requests")
    detail = lazy_gettext("Too many attempts. Try again after the number of seconds in the Retry-After header.")


class Counts(Protocol):
    """What counts: each key for itself, from its first unit on until its time is over. None: it is away just now."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int | None:
        """Add to a count that lives for `expiry` seconds, all at once, and give the sum."""

    def get_expiry(self, key: str) -> float | None:
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
        shared: where the processes count together; None when each counts alone.
    """

    def __init__(self, limits: Mapping[str, RateLimitItem], shared: "SharedCounts | None") -> None:
        self.limits = limits
        self.memory = Memory()
        self.shared = shared

    def add(self, name: str, key: str, amount: int = 1) -> tuple[int, Counts]:
        """Count, and tell the sum and who says so; memory counts along, lest it begin at nothing once it must."""
        seconds = self.limits[name].get_expiry()
        here = self.memory.incr(key, seconds, amount)
        if self.shared is not None and (together := self.shared.incr(key, seconds, amount)) is not None:
            return together, self.shared
        return here, self.memory

    def seconds_left(self, key: str, counts: Counts) -> int:
        """How long a count goes on, at least a second."""
        return max(1, math.ceil((counts.get_expiry(key) or 0) - time.time()))


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
    # Its client takes a tenth of the start, and memory in every worker.
    shared = import_module("userapi.security.redis_counters").SharedCounts(url) if url else None
    app.extensions["userapi-throttles"] = Throttles(limits, shared)


def spend(name: str, *of: str) -> None:
    """Spend one unit of a throttle.

    Args:
        name: of the throttle, as its setting without `RATELIMIT_`.
        of: for whom it counts.

    Raises:
        TooManyRequests: there is none left.
    """
    _spend(name, of, lambda: False)


def limits_each_client(name: str) -> Callable[[View], View]:
    """Count each call of a view for the client that makes it.

    Args:
        name: of the throttle, as its setting without `RATELIMIT_`.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            spend(name, client())
            return view(*args, **kwargs)

        return cast("View", wrapper)

    return decorate


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
    return network(current_request().remote_addr)


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
    shared = _throttles().shared
    return None if shared is None else shared.answers()


def redis_error() -> str:
    """What the last try to reach Redis met; empty where it was reached."""
    shared = _throttles().shared
    return "" if shared is None else shared.error


def _spend(name: str, of: tuple[str, ...], unless: Callable[[], bool]) -> None:
    if not current_app.config["RATELIMIT_ENABLED"]:
        return
    throttles, key = _throttles(), _key(name, of)
    limit = throttles.limits[name]
    count, counts = throttles.add(name, key)
    if count <= limit.amount or unless():
        return
    seconds = throttles.seconds_left(key, counts)
    throttles.add(name, key, -1)  # else those refused at once would keep out who comes after
    metrics.counted().throttled.labels(name.lower()).inc()
    log.warning("throttled", extra={"throttle": name, "address": acting().address})
    policy = name.lower().replace("_", "-")
    raise TooManyRequests(
        _too_many_attempts(seconds),
        headers={
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"{policy}";q={limit.amount};w={limit.get_expiry()}',
            "RateLimit": f'"{policy}";r=0;t={seconds}',
        },
    )


def _too_many_attempts(seconds: int) -> str:
    """The message for the caller: seconds for a short wait, otherwise whole minutes."""
    if seconds < SECONDS_SHOWN:
        text: str = ngettext(
            "Too many attempts. Try again in %(num)s second.",
            "Too many attempts. Try again in %(num)s seconds.",
            seconds,
        )
    else:
        text = ngettext(
            "Too many attempts. Try again in %(num)s minute.",
            "Too many attempts. Try again in %(num)s minutes.",
            -(-seconds // 60),
        )
    return text


def _give_back(name: str, of: tuple[str, ...]) -> None:
    if current_app.config["RATELIMIT_ENABLED"]:
        _throttles().add(name, _key(name, of), -1)


def _key(name: str, of: tuple[str, ...]) -> str:
    """Under which name it is counted: nobody can read from Redis who signs in here."""
    digest = hashlib.blake2b("\0".join(of).encode("utf-8", "replace"), key=derived_key("throttles"), digest_size=16)
    return f"{name}:{digest.hexdigest()}"


def _throttles() -> Throttles:
    throttles: Throttles = current_app.extensions["userapi-throttles"]
    return throttles
