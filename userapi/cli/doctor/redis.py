"""Redis, where the processes count together."""

from collections.abc import Iterator

from flask import current_app
from redis import Redis
from redis.exceptions import RedisError

from userapi.core.shared_counts import PATIENCE

from .findings import Finding, ok, said, trouble, warning


def check() -> Iterator[Finding]:
    """Look whether Redis answers, if there is to be one."""
    url = current_app.config["REDIS_URL"]
    if not url:
        workers = current_app.config["WORKERS"]
        if workers > 2:
            yield warning(
                "redis", f"REDIS_URL is not set: each of {workers} workers counts guesses for itself. Set it."
            )
        else:
            yield ok("redis", "REDIS_URL is not set: each worker counts guesses for itself")
        return
    try:
        with connected(url) as redis:
            yield ok("redis", f"Redis {redis.info('server')['redis_version']} answers")
    except RedisError as error:
        yield trouble("redis", f"REDIS_URL: {said(error)}. Start it; until then each worker counts for itself.")


def connected(url: str) -> Redis:
    """A client that does not wait long."""
    return Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
