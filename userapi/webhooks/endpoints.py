"""The rules about webhooks: creating, changing, disabling and deleting them, and their secrets.

Superusers and API keys with the scope `webhooks` may do this; the routes check that.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock, loop
from userapi.core.db import db

from . import endpoint_checks, queries, signing
from .fan_out import LOOP
from .models import DisabledReason, WebhookEndpoint
from .problems import TooManyWebhooks, WebhookNotFound

#: Each event costs a row for each webhook, in the transaction of the event.
MAX_ENDPOINTS = 50

#: How long the previous secret signs too, in seconds, by default and at most.
DEFAULT_OVERLAP, MAX_OVERLAP = 86_400, 604_800

#: The kind of target in the audit log.
KIND = "webhook"


def is_enabled() -> bool:
    """Whether the service has webhooks."""
    return bool(current_app.config["WEBHOOKS"])


def create(
    url: str,
    events: Collection[str],
    *,
    maker_id: int | None,
    description: str = "",
    includes: Collection[str] = (),
    is_active: bool = True,
) -> WebhookEndpoint:
    """Create a webhook. It gets the events that are committed from now on.

    Args:
        url: where its events are sent.
        events: actions such as `user.created`, patterns such as `user.*`, or `*`.
        maker_id: the user who creates it.
        description: what it is for.
        includes: `user`, if bodies contain the user.
        is_active: false creates it disabled, so that deliveries wait.

    Raises:
        ValidationFailed: naming the field.
        TooManyWebhooks: there are `MAX_ENDPOINTS`.
    """
    endpoint_checks.check_url(url)
    endpoint_checks.check_events(events)
    endpoint_checks.check_others(description, includes)
    if queries.count_endpoints() >= MAX_ENDPOINTS:
        raise TooManyWebhooks
    now = clock.now()
    endpoint = WebhookEndpoint(
        id=uuid.uuid4(),
        created_at=now,
        maker_id=maker_id,
        url=url,
        description=description,
        includes_user="user" in includes,
        disabled_at=None if is_active else now,
        disabled_reason=None if is_active else DisabledReason.STAFF.value,
    )
    db.session.add(endpoint)
    db.session.flush()
    queries.replace_events(endpoint.id, set(events))
    facts = {"url": _origin(url), "events": sorted(set(events)), "include": sorted(set(includes))}
    audit_log.record("webhook.created", KIND, endpoint.id, {name: (None, fact) for name, fact in facts.items()})
    loop.wake_on_commit(LOOP)
    return endpoint


def change(endpoint_id: uuid.UUID, changes: Mapping[str, Any]) -> WebhookEndpoint:
    """Change a webhook. To a new URL, everything that waits is sent immediately.

    Args:
        endpoint_id: the webhook.
        changes: any of `url`, `events`, `description`, `includes` and `is_active`, as in `create`.

    Raises:
        ValidationFailed: naming the field.
        WebhookNotFound: there is none with this id.
    """
    if "url" in changes:  # before the lock: this may wait for a name server
        endpoint_checks.check_url(changes["url"])
    endpoint = lock(endpoint_id)
    recorded: dict[str, tuple[Any, Any]] = {}
    if "url" in changes and changes["url"] != endpoint.url:
        recorded["url"] = (_origin(endpoint.url), _origin(changes["url"]))
        endpoint.url = changes["url"]
        _forget_failures(endpoint)
    endpoint_checks.check_others(changes.get("description", ""), changes.get("includes", ()))
    if "description" in changes and changes["description"] != endpoint.description:
        recorded["description"] = (endpoint.description, changes["description"])
        endpoint.description = changes["description"]
    includes_user = "user" in changes.get("includes", ()) if "includes" in changes else endpoint.includes_user
    if includes_user != endpoint.includes_user:
        recorded["include"] = (["user"], []) if endpoint.includes_user else ([], ["user"])
        endpoint.includes_user = includes_user
    if "events" in changes:
        endpoint_checks.check_events(changes["events"])
        before, after = queries.events_in_transaction(endpoint_id), sorted(set(changes["events"]))
        if before != after:
            recorded["events"] = (before, after)
            queries.replace_events(endpoint_id, after)
    db.session.flush()
    if recorded:
        audit_log.record("webhook.changed", KIND, endpoint_id, recorded)
    if "is_active" in changes:
        return enable(endpoint_id) if changes["is_active"] else disable(endpoint_id)
    return endpoint


def delete(endpoint_id: uuid.UUID) -> None:
    """Delete a webhook. What waits for it is not sent.

    Raises:
        WebhookNotFound: there is none with this id.
    """
    endpoint = lock(endpoint_id)
    audit_log.record("webhook.deleted", KIND, endpoint_id, {"url": (_origin(endpoint.url), None)})
    db.session.delete(endpoint)
    db.session.flush()


def disable(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """Stop sending to a webhook; its deliveries are held. A disabled one stays as it is.

    Raises:
        WebhookNotFound: there is none with this id.
    """
    endpoint = lock(endpoint_id)
    if endpoint.disabled_at is None:
        endpoint.disabled_at, endpoint.disabled_reason = clock.now(), DisabledReason.STAFF.value
        db.session.flush()
        audit_log.record("webhook.disabled", KIND, endpoint_id, {"reason": (None, DisabledReason.STAFF.value)})
    return endpoint


def enable(endpoint_id: uuid.UUID, *, drop_waiting: bool = False) -> WebhookEndpoint:
    """Send to a webhook again, what it has missed first. An active one stays as it is.

    Args:
        endpoint_id: the webhook.
        drop_waiting: whether to drop what it has missed instead.

    Raises:
        WebhookNotFound: there is none with this id.
    """
    endpoint, now = lock(endpoint_id), clock.now()
    if endpoint.disabled_at is None:
        return endpoint
    facts: dict[str, tuple[Any, Any]] = {"reason": (endpoint.disabled_reason, None)}
    endpoint.disabled_at = endpoint.disabled_reason = None
    if drop_waiting:
        facts["dropped"] = (None, queries.drop_waiting(endpoint_id, now))
    _forget_failures(endpoint)
    audit_log.record("webhook.enabled", KIND, endpoint_id, facts)
    return endpoint


def reveal_secret(endpoint_id: uuid.UUID) -> str:
    """The secret of a webhook. Require a recent proof of identity first.

    Raises:
        WebhookNotFound: there is none with this id.
    """
    return signing.make_secret(endpoint_id, find(endpoint_id).generation)


def rotate_secret(endpoint_id: uuid.UUID, overlap: int = DEFAULT_OVERLAP) -> str:
    """Replace the secret of a webhook, and return the new one.

    Args:
        endpoint_id: the webhook.
        overlap: for how many seconds the previous secret signs too; at most `MAX_OVERLAP`.

    Raises:
        WebhookNotFound: there is none with this id.
    """
    endpoint = lock(endpoint_id)
    endpoint.generation += 1
    endpoint.previous_until = clock.now() + timedelta(seconds=min(max(overlap, 0), MAX_OVERLAP))
    db.session.flush()
    audit_log.record("webhook.rotated", KIND, endpoint_id, {"overlap": (None, overlap)})
    return signing.make_secret(endpoint_id, endpoint.generation)


def find(endpoint_id: uuid.UUID) -> Any:
    """The row of a webhook.

    Raises:
        WebhookNotFound: there is none with this id.
    """
    endpoint = queries.find_endpoint(endpoint_id)
    if endpoint is None:
        raise WebhookNotFound
    return endpoint


def lock(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """A webhook, locked until the transaction ends.

    Raises:
        WebhookNotFound: there is none with this id.
    """
    endpoint = queries.lock_endpoint(endpoint_id)
    if endpoint is None:
        raise WebhookNotFound
    return endpoint


def _forget_failures(endpoint: WebhookEndpoint) -> None:
    """Try everything that waits immediately, as if nothing had failed."""
    endpoint.paused_until = endpoint.failing_since = None
    endpoint.attempts = 0
    db.session.flush()
    queries.retry_waiting(endpoint.id, clock.now())
    loop.wake_on_commit(LOOP)


def _origin(url: str) -> str:
    """Scheme, host and port of a URL: what the audit log keeps, because a path can hold a secret of the receiver."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
