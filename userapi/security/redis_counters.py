"""Counts that all processes share, in Redis, by the storage of limits; imported where `REDIS_URL` is set."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from limits.storage import RedisStorage, storage_from_string
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

#: How long a request waits for Redis, and how long all leave it alone once it did not answer, in seconds.
PATIENCE = 0.5
ABSENCE = 2.0


class SharedCounts:
    """Counts in Redis. While it is away, nobody waits for it, and one request now and again looks whether it is back.

    Args:
        url: of the Redis.

    Attributes:
        error: what the last failure said, while Redis is away.
    """

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {
            "key_prefix": "userapi",
            "socket_connect_timeout": PATIENCE,
            "socket_timeout": PATIENCE,
            # Once more, at once: a connection that was idle while Redis was started anew is dead.
            "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        }
        self._storage = cast(RedisStorage, storage_from_string(url, **options))
        self._ask_again_at: float | None = None
        self.error = ""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int | None:
        """Add to a count that lives for `expiry` seconds, all at once, and give the sum; None while Redis is away."""
        return self._ask(lambda: self._storage.incr(key, expiry, amount))

    def get_expiry(self, key: str) -> float | None:
        """When a count ends, in seconds since the epoch; None while Redis is away."""
        return self._ask(lambda: self._storage.get_expiry(key))

    def answers(self) -> bool:
        """Whether Redis does."""
        return bool(self._ask(self._storage.storage.ping))

    def _ask(self, question: Callable[[], Answer]) -> Answer | None:
        was_away = self._ask_again_at is not None
        if self._ask_again_at is not None:
            if time.monotonic() < self._ask_again_at:
                return None
            self._ask_again_at = time.monotonic() + ABSENCE
        try:
            answer = question()
        except RedisError as error:
            self._ask_again_at = time.monotonic() + ABSENCE
            self.error = str(error)[:200]
            if not was_away:
                log.error("redis unavailable: each process counts attempts separately", extra={"error": repr(error)})
            return None
        if was_away:
            self._ask_again_at = None
            self.error = ""
            log.warning("redis available again: all processes count attempts together")
        return answer
