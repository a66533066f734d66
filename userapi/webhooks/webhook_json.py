"""Webhooks, deliveries and attempts as JSON objects."""

from collections.abc import Iterable, Sequence
from typing import Any

from userapi.outbound.webhook_requests import Result

from . import queries, signing
from .endpoint_health import health_of


def describe_webhooks(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The documents of webhooks."""
    events, waiting = queries.list_events([row.id for row in rows]), queries.count_waiting()
    return [_describe(row, events[row.id], waiting.get(row.id, 0)) for row in rows]


def _describe(row: Any, events: Sequence[str], waiting: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": row.url,
        "description": row.description,
        "events": events,
        "include": ["user"] if row.includes_user else [],
        "active": row.disabled_at is None,
        "health": health_of(row).value,
        "disabled_reason": row.disabled_reason,
        "waiting": waiting,
        "failing_since": row.failing_since,
        "last_attempt_at": row.tried_at,
        "last_success_at": row.succeeded_at,
        "previous_secret_until": row.previous_until,
        "created_at": row.created_at,
    }


def describe_delivery(row: Any) -> dict[str, Any]:
    """The document of a delivery, as lists have it."""
    return {
        "id": row.id,
        "message_id": signing.make_message_id(row.message_id),
        "event_id": f"evt_{row.event_id}",
        "type": row.action,
        "user_id": row.user_id,
        "state": row.shown_state,
        "due_at": row.due_at,
        "attempt_count": row.attempts,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "replayed_at": row.replayed_at,
    }


def describe_attempts(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """The documents of attempts."""
    return [
        {
            "attempted_at": row.attempted_at,
            "accepted": row.error is None and row.status is not None and 200 <= row.status < 300,
            "status": row.status,
            "error": row.error,
            "duration_ms": row.duration_ms,
            "response": row.excerpt,
        }
        for row in rows
    ]


def describe_result(result: Result) -> dict[str, Any]:
    """The document of a test."""
    return {
        "accepted": result.is_accepted,
        "status": result.status,
        "error": result.error,
        "duration_ms": result.duration_ms,
        "response": result.excerpt,
    }
