"""Throttles limit how often something may be tried. An attempt is counted before it is made.

A throttle is a setting, `RATELIMIT_<NAME>`, such as "10 per 5 minutes". It counts per subject: a client, an account, or
both together. Each process counts in memory. With `REDIS_URL` set, all processes share counters in Redis, and each
process continues with its own counters while Redis is unavailable.

The library `limits`, which Flask-Limiter is built on, parses the limits and stores counters in Redis. Flask-Limiter
itself is not used: it counts requests to routes, but our rules are called from several routes, pages and commands,
count per account as well as per client, and refund attempts that succeed.
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
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from flask import Flask
from flask_babel import lazy_gettext, ngettext
from flask_babel.speaklater import LazyString
from limits import RateLimitItem, parse

from userapi.core import context
from userapi.core.context import current_request, get_acting_context
from userapi.core.problems import Problem, Unavailable
from userapi.observability import metrics

from .signing_keys import derive_key

if TYPE_CHECKING:
    from .redis_counters import RedisCounters

log = logging.getLogger(__name__)

View = TypeVar("View", bound=Callable[..., Any])

PREFIX = "RATELIMIT_"

#: Waits shorter than this are shown to the caller in seconds, longer ones in minutes.
MAX_SECONDS_SHOWN = 120


class TooManyRequests(Problem):
    """Something was tried too often (RFC 6585, section 4)."""

    status = 429
    code = "rate_limited"
    title = lazy_gettext("Too many requests")
    #: Callers see `describe_wait` instead; nginx has a limit and a text of its own (`deploy/nginx`).
    detail = lazy_gettext("Too many attempts. Try again after the number of seconds in the Retry-After header.")


class Counters(Protocol):
    """Counters by key. A counter starts with its first attempt and is deleted when it expires.

    The method names are those of the storages of `limits`. Both methods return None while the storage is unavailable.
    """

    def incr(self, key: str, expiry: int, amount: int = 1) -> int | None:
        """Add `amount` to a counter atomically and return the sum; a new counter expires after `expiry` seconds."""

    def get_expiry(self, key: str) -> float | None:
        """Return when a counter expires, in seconds since the epoch."""


class MemoryCounters:
    """The counters of this process.

    The memory storage of `limits` is not used: it loses attempts when several threads start a counter at the same time,
    and for nearly every attempt it starts a thread that looks at every counter.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, tuple[int, float]] = {}
        self._prune_at = 1000

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add `amount` to a counter, which never falls below 0, and return the sum."""
        with self._lock:
            now = time.monotonic()
            count, end = self._counters.get(key, (0, 0.0))
            if end <= now:
                count, end = 0, now + expiry
            count = max(count + amount, 0)
            self._counters[key] = (count, end)
            if len(self._counters) > self._prune_at:
                self._counters = {
                    key: counted for key, counted in self._counters.items() if counted[0] and counted[1] > now
                }
                self._prune_at = max(1000, 2 * len(self._counters))
            return count

    def get_expiry(self, key: str) -> float:
        """Return when a counter expires, in seconds since the epoch."""
        with self._lock:
            _count, end = self._counters.get(key, (0, 0.0))
        return time.time() + max(end - time.monotonic(), 0)


class Throttles:
    """The throttles of one application.

    Args:
        limits: the limit of each throttle, by name.
        shared: the counters that all processes share; None if each process counts separately.
    """

    def __init__(self, limits: Mapping[str, RateLimitItem], shared: "RedisCounters | None") -> None:
        self.limits = limits
        self.memory = MemoryCounters()
        self.shared = shared

    def add(self, name: str, key: str, amount: int = 1) -> tuple[int, Counters]:
        """Add `amount` to a counter; return the sum and the counters that it comes from."""
        # Count in memory too, so that the counters are there when Redis becomes unavailable.
        seconds = self.limits[name].get_expiry()
        local_count = self.memory.incr(key, seconds, amount)
        if self.shared is not None and (shared_count := self.shared.incr(key, seconds, amount)) is not None:
            return shared_count, self.shared
        return local_count, self.memory

    def seconds_left(self, key: str, counters: Counters) -> int:
        """Return the seconds until a counter expires, at least 1."""
        return max(1, math.ceil((counters.get_expiry(key) or 0) - time.time()))


def configure(app: Flask) -> None:
    """Create the throttles from the settings."""
    limits = {
        name.removeprefix(PREFIX): parse(value)
        for name, value in app.config.items()
        if name.startswith(PREFIX) and isinstance(value, str)
    }
    for name in limits:
        metrics.get_metrics(app).throttled.labels(
            name.lower()
        )  # starts at 0, so that the first rejection shows as an increase
    url = app.config["REDIS_URL"]
    # Imported only if needed: the Redis client takes a tenth of the start-up time, and memory in every worker.
    shared = import_module("userapi.security.redis_counters").RedisCounters(url) if url else None
    app.extensions["userapi-throttles"] = Throttles(limits, shared)


def count_attempt(name: str, *subject: str) -> None:
    """Count one attempt.

    Args:
        name: the name of the throttle: that of its setting without `RATELIMIT_`.
        subject: who or what the attempts are counted for, such as a client or an account.

    Raises:
        TooManyRequests: the limit is exceeded.
    """
    _count_or_reject(name, subject, lambda: False)


def take_back(name: str, *subject: str) -> None:
    """Take back one attempt that `count_attempt` has counted, because it succeeded."""
    _refund(name, subject)


def limits_each_client(name: str) -> Callable[[View], View]:
    """Decorate a view so that each call counts one attempt of the client.

    Args:
        name: the name of the throttle: that of its setting without `RATELIMIT_`.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            count_attempt(name, get_client_subject())
            return view(*args, **kwargs)

        return cast("View", wrapper)

    return decorate


def try_attempt(name: str, *subject: str) -> bool:
    """Count one attempt and return whether it is within the limit, for responses that must not reveal that it is not.

    The arguments are those of `count_attempt`.
    """
    try:
        _count_or_reject(name, subject, lambda: False)
    except TooManyRequests:
        return False
    return True


@contextmanager
def count_failures(name: str, *subject: str, skip_if: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Count an attempt before the block, and refund it unless the block fails.

    So parallel guesses are all counted before the first one is checked, correct passwords are never limited, and a
    success does not reset the failures of other attempts.

    Args:
        name: the name of the throttle: that of its setting without `RATELIMIT_`.
        subject: who or what the attempts are counted for, such as a client or an account.
        skip_if: called if the limit is exceeded; if it returns True, the block runs nevertheless.

    Raises:
        TooManyRequests: the limit is exceeded.
    """
    _count_or_reject(name, subject, skip_if)
    try:
        yield
    except (TooManyRequests, Unavailable):
        _refund(name, subject)  # the password or code was not checked
        raise
    _refund(name, subject)


def get_client_subject() -> str:
    """Return the subject for throttles per client: the IP address or IPv6 network of the current request."""
    return ip_subject(current_request().remote_addr)


@functools.lru_cache(maxsize=1000)
def ip_subject(address: str | None) -> str:
    """Return the subject for an IP address: for IPv6 its /64 network, since providers assign a /64 to each customer."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((int(ip), 64), strict=False))
    return str(ip)


def is_redis_reachable() -> bool | None:
    """Return whether Redis responds; None if each process counts separately."""
    shared = _throttles().shared
    return None if shared is None else shared.is_reachable()


def read_redis_clock() -> datetime | None:
    """Return the time of the machine of Redis; None if it does not respond or is not used."""
    shared = _throttles().shared
    return None if shared is None else shared.read_clock()


def get_redis_error() -> str:
    """Return the error of the last call to Redis; empty if it succeeded."""
    shared = _throttles().shared
    return "" if shared is None else shared.error


def _count_or_reject(name: str, subject: tuple[str, ...], skip_if: Callable[[], bool]) -> None:
    if not context.current_application().config["RATELIMIT_ENABLED"]:
        return
    throttles, key = _throttles(), _counter_key(name, subject)
    limit = throttles.limits[name]
    count, counters = throttles.add(name, key)
    if count <= limit.amount or skip_if():
        return
    seconds = throttles.seconds_left(key, counters)
    throttles.add(name, key, -1)  # rejected attempts must not count against later ones
    metrics.get_current_metrics().throttled.labels(name.lower()).inc()
    log.warning("throttled", extra={"throttle": name, "address": get_acting_context().ip_address})
    policy = name.lower().replace("_", "-")
    raise TooManyRequests(
        # Translated only where it is shown: responses that must not reveal the limit get no language header from it.
        cast("str", LazyString(describe_wait, seconds)),
        headers={
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"{policy}";q={limit.amount};w={limit.get_expiry()}',
            "RateLimit": f'"{policy}";r=0;t={seconds}',
        },
    )


def describe_wait(seconds: int) -> str:
    """Return the message for the caller: in seconds for a short wait, otherwise in whole minutes."""
    if seconds < MAX_SECONDS_SHOWN:
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


def _refund(name: str, subject: tuple[str, ...]) -> None:
    if context.current_application().config["RATELIMIT_ENABLED"]:
        _throttles().add(name, _counter_key(name, subject), -1)


def _counter_key(name: str, subject: tuple[str, ...]) -> str:
    """Return the key of a counter. It is a keyed hash, so that Redis does not reveal who signs in here."""
    digest = hashlib.blake2b("\0".join(subject).encode("utf-8", "replace"), key=derive_key("throttles"), digest_size=16)
    return f"{name}:{digest.hexdigest()}"


def _throttles() -> Throttles:
    throttles: Throttles = context.current_application().extensions["userapi-throttles"]
    return throttles
