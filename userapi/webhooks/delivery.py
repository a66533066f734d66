"""Making deliveries: each at least once, and to each webhook one at a time, by any number of workers.

A worker claims a webhook (see `core/leases.py`), sends it the delivery that has been due longest, and writes the
outcome in the transaction that ends the lease. If the worker is killed before that, the next one sends the delivery
again, with the same `webhook-id`.
"""

import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app

from userapi.core import clock, leases
from userapi.core.context import ActingContext, Origin, use_acting_context
from userapi.core.db import db
from userapi.core.leases import LeaseLost
from userapi.observability import metrics
from userapi.outbound import webhook_requests
from userapi.outbound.webhook_requests import Error, Result
from userapi.users import queries as user_queries

from . import disabling, payload, queries, signing
from .models import DisabledReason, State

log = logging.getLogger("userapi.webhooks")

#: Seconds before the second attempt and the following ones, plus or minus `JITTER`. The last one is repeated.
DELAYS = (5, 300, 1800, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)))
JITTER = 0.1

#: A receiver that responds with one of these, or not in time, gets nothing else before it has accepted a delivery.
UNAVAILABLE = (429, 502, 503, 504)

#: The status with which a receiver says that it wants nothing any more.
GONE = 410

#: The longest wait that a receiver can ask for with `Retry-After`, in seconds.
MAX_RETRY_AFTER = 86_400

#: A webhook without a successful attempt is disabled after this time.
MAX_FAILING = timedelta(days=5)

#: A lease lasts for this much longer than WEBHOOK_TIMEOUT.
LEASE_MARGIN = timedelta(seconds=30)

#: Errors of deliveries that were not sent.
EVENT_DELETED, INTERRUPTED, INTERNAL_ERROR = "event_deleted", "interrupted", "internal_error"


def deliver_due(stop: Callable[[], bool] = lambda: False) -> int:
    """Make all deliveries that are due, to up to WEBHOOK_CONCURRENCY webhooks at the same time.

    Args:
        stop: called before each delivery; true ends the round.

    Returns:
        The number of attempts.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    count = queries.count_due(clock.now(), app.config["WEBHOOK_CONCURRENCY"])
    if not count:
        return 0
    with ThreadPoolExecutor(count, "webhooks") as pool:
        return sum(pool.map(lambda _number: run_sender(app, stop), range(count)))


def run_sender(app: Flask, stop: Callable[[], bool]) -> int:
    """Make one delivery after the other until none is due; returns the number of attempts. For a thread of its own."""
    count = 0
    with app.app_context(), use_acting_context(ActingContext(Origin.SYSTEM)):
        while not stop() and deliver_next():
            count += 1
    return count


def deliver_next() -> bool:
    """Make the delivery of the webhook that was not tried for longest; whether there was one.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is unavailable. What was just sent may be sent again.
    """
    now = clock.now()
    lease = timedelta(seconds=current_app.config["WEBHOOK_TIMEOUT"]) + LEASE_MARGIN
    endpoint = queries.claim_endpoint(now, lease)
    delivery = queries.take_delivery(endpoint.id, now) if endpoint else None
    if endpoint is None or delivery is None:
        db.session.rollback()
        return False
    db.session.commit()
    facts = {"webhook": str(endpoint.id), "delivery": delivery.id, "attempts": delivery.attempts}
    try:
        _deliver(endpoint, delivery, facts)
    except LeaseLost:
        db.session.rollback()
        log.warning("webhook lease lost", extra=facts)
    return True


def _deliver(endpoint: Any, delivery: Any, facts: dict[str, Any]) -> None:
    if delivery.attempts > current_app.config["WEBHOOK_MAX_ATTEMPTS"]:  # workers were killed during the attempts
        _abandon(endpoint, delivery, INTERRUPTED, facts)
        return
    try:
        body = payload.build_body(delivery.event_id, includes_user=endpoint.includes_user)
        if body is not None:
            headers = signing.make_headers(endpoint, delivery.message_id, clock.now(), body)
            result = _keep_excerpt(delivery, webhook_requests.post(endpoint.url, body, headers))
    except sa.exc.SQLAlchemyError:
        raise
    except Exception:
        log.exception("webhook delivery error", extra=facts)
        _settle_failure(endpoint, delivery, None, facts)
        return
    if body is None:
        _abandon(endpoint, delivery, EVENT_DELETED, facts)
    elif result.is_accepted:
        _settle_success(endpoint, delivery, result, facts)
    else:
        _settle_failure(endpoint, delivery, result, facts)


def _keep_excerpt(delivery: Any, result: Result) -> Result:
    """The result, without the words of a receiver about a user who was deleted.

    The user, if there is one, is not deleted before the transaction ends; the deletion then finds what was written.
    """
    if not result.excerpt or delivery.user_id is None or user_queries.keep_user(delivery.user_id):
        return result
    return replace(result, excerpt="")


def _abandon(endpoint: Any, delivery: Any, error: str, facts: dict[str, Any]) -> None:
    """Write that a delivery cannot be sent, which says nothing about the receiver."""
    leases.finish(queries.endpoints, endpoint, attempts=endpoint.attempts - 1)
    queries.settle_delivery(delivery.id, state=State.FAILED, due_at=None, ended_at=clock.now(), last_error=error)
    db.session.commit()
    _count("failed")
    log.error("webhook delivery failed", extra={"error": error, **facts})


def _settle_success(endpoint: Any, delivery: Any, result: Result, facts: dict[str, Any]) -> None:
    now = clock.now()
    fresh = {"attempts": 0, "failing_since": None, "paused_until": None}
    leases.finish(queries.endpoints, endpoint, succeeded_at=now, **fresh)
    _write_attempt(
        delivery, result, state=State.DELIVERED, due_at=None, ended_at=now, last_status=result.status, last_error=None
    )
    db.session.commit()
    _count("delivered")
    log.info("webhook delivered", extra={"status": result.status, "milliseconds": result.duration_ms, **facts})


def _settle_failure(endpoint: Any, delivery: Any, result: Result | None, facts: dict[str, Any]) -> None:
    """Write that an attempt failed: the delivery is tried again later or has failed.

    Args:
        endpoint: the claimed webhook.
        delivery: what was sent.
        result: of the request; None if it was not sent because of an internal error.
        facts: for the log.
    """
    now = clock.now()
    status, error = (result.status, result.error) if result else (None, INTERNAL_ERROR)
    is_unavailable = status in UNAVAILABLE or error == Error.TIMEOUT
    has_failed = delivery.attempts >= current_app.config["WEBHOOK_MAX_ATTEMPTS"] and status != GONE
    failures = max(delivery.attempts, endpoint.attempts) if is_unavailable else delivery.attempts
    due_at = now + _delay(failures, result.retry_after if result else None)
    finished = leases.finish(
        queries.endpoints,
        endpoint,
        failing_since=queries.first_failure(now),
        paused_until=due_at if is_unavailable else None,
    )
    outcome = {"state": State.FAILED, "due_at": None, "ended_at": now} if has_failed else {}
    if not has_failed and not is_unavailable:  # otherwise the pause delays it, and it stays the first
        outcome = {"due_at": due_at}
    _write_attempt(delivery, result, last_status=status, last_error=error, **outcome)
    if status == GONE or finished.failing_since <= now - MAX_FAILING:
        disabling.disable_broken(endpoint, DisabledReason.GONE if status == GONE else DisabledReason.FAILING)
    db.session.commit()
    _count("failed" if has_failed else "delayed")
    more = {"status": status, "error": error, **facts}
    if has_failed:
        log.error("webhook delivery failed", extra=more)
    else:
        log.warning("webhook delivery delayed", extra={"until": due_at, **more})


def _write_attempt(delivery: Any, result: Result | None, **outcome: Any) -> None:
    if queries.settle_delivery(delivery.id, **outcome) and result is not None:
        queries.add_attempt(
            delivery.id,
            attempted_at=clock.now() - timedelta(milliseconds=result.duration_ms),
            status=result.status,
            error=result.error,
            duration_ms=result.duration_ms,
            excerpt=result.excerpt,
        )


def _delay(failures: int, retry_after: int | None) -> timedelta:
    delay = DELAYS[min(failures, len(DELAYS)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    return timedelta(seconds=max(delay, min(retry_after or 0, MAX_RETRY_AFTER)))


def _count(outcome: str) -> None:
    metrics.get_current_metrics().webhook_deliveries.labels(outcome).inc()
