"""Counters in Redis that all processes share, using the storage of `limits`. Imported only if `REDIS_URL` is set."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from limits.storage import RedisStorage, storage_from_string
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from userapi.core.redis_urls import parse_sentinel_url

log = logging.getLogger(__name__)

Result = TypeVar("Result")

#: How many seconds a request waits for Redis, and for how many seconds no request calls it after an error.
REDIS_TIMEOUT = 0.5
REDIS_COOLDOWN = 2.0
TIMEOUTS: dict[str, Any] = {"socket_connect_timeout": REDIS_TIMEOUT, "socket_timeout": REDIS_TIMEOUT}


class RedisCounters:
    """Counters in Redis.

    While Redis is unavailable, requests do not wait for it: only one request per cooldown checks whether it is back.

    Args:
        url: the URL of Redis.

    Attributes:
        error: the text of the last error while Redis is unavailable; otherwise empty.
    """

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {
            "key_prefix": "userapi",
            **TIMEOUTS,
            # Retry once without a delay: Redis may have been restarted while the connection was idle.
            "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        }
        if sentinels := parse_sentinel_url(url):
            url = sentinels.for_limits
            # A replica may be behind.
            options |= {"db": sentinels.database, "use_replicas": False, "sentinel_kwargs": TIMEOUTS}
        self._storage = cast(RedisStorage, storage_from_string(url, **options))
        self._retry_at: float | None = None
        self.error = ""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int | None:
        """Add `amount` to a counter atomically and return the sum; None while Redis is unavailable.

        A new counter expires after `expiry` seconds.
        """
        return self._call(lambda: self._storage.incr(key, expiry, amount))

    def get_expiry(self, key: str) -> float | None:
        """Return when a counter expires, in seconds since the epoch; None while Redis is unavailable."""
        return self._call(lambda: self._storage.get_expiry(key))

    def read_clock(self) -> datetime | None:
        """Return the time of its machine; None while Redis is unavailable."""
        found = self._call(self._storage.storage.time)
        return None if found is None else datetime.fromtimestamp(found[0] + found[1] / 1e6, UTC)

    def is_reachable(self) -> bool:
        """Return whether Redis responds."""
        return bool(self._call(self._storage.storage.ping))

    def _call(self, call: Callable[[], Result]) -> Result | None:
        was_away = self._retry_at is not None
        if self._retry_at is not None:
            if time.monotonic() < self._retry_at:
                return None
            self._retry_at = time.monotonic() + REDIS_COOLDOWN
        try:
            result = call()
        except RedisError as error:
            self._retry_at = time.monotonic() + REDIS_COOLDOWN
            self.error = str(error)[:200]
            if not was_away:
                log.error("redis unavailable: each process counts attempts separately", extra={"error": repr(error)})
            return None
        if was_away:
            self._retry_at = None
            self.error = ""
            log.warning("redis available again: all processes count attempts together")
        return result
