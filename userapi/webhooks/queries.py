"""The SELECTs about webhooks, and the writes that only one caller can win."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.core import leases, writes
from userapi.core.db import db, read_all, read_one
from userapi.core.prepared import Write
from userapi.core.writes import count_rows, delete_some

from .models import State, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookSubscription

endpoints: Any = WebhookEndpoint.__table__
subscriptions: Any = WebhookSubscription.__table__
deliveries: Any = WebhookDelivery.__table__
attempts: Any = WebhookAttempt.__table__

#: The lock under which webhooks are created.
CREATION_LOCK = 7_210_002

#: The states in which a delivery has ended.
ENDED = (State.DELIVERED, State.FAILED, State.DROPPED)


def _bound(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=deliveries.c[name].type)


_wanted = sa.or_(
    subscriptions.c.pattern == sa.bindparam("action"),
    subscriptions.c.pattern == sa.bindparam("of_kind"),
    subscriptions.c.pattern == "*",
)
#: Whether any webhook wants an event.
IS_WANTED = sa.exists().where(_wanted)

_QUEUED: dict[str, Any] = {
    "endpoint_id": subscriptions.c.endpoint_id,
    "created_at": _bound("created_at"),
    "message_id": _bound("message_id"),
    "event_id": _bound("event_id"),
    "action": _bound("action"),
    "user_id": _bound("user_id"),
    "state": sa.literal(State.WAITING.value),
    "due_at": _bound("created_at"),
    "attempts": sa.literal(0),
}

#: Writes a delivery of an event for each webhook that wants it; one that wants it twice gets it once.
QUEUE = Write(
    sa.insert(deliveries)
    .from_select(list(_QUEUED), sa.select(*_QUEUED.values()).where(_wanted).distinct())
    .returning(deliveries.c.id)
)


class Backlog(NamedTuple):
    """What waits to be delivered.

    Attributes:
        webhooks: the number of webhooks.
        since: since when the oldest delivery has been due that nothing holds back.
        waiting: the number of deliveries that wait.
        held: the number of those that wait because their webhook is disabled.
        failing: the number of webhooks whose last attempts failed.
        disabled: the number of webhooks that the service has disabled.
    """

    webhooks: int
    since: datetime | None
    waiting: int
    held: int
    failing: int
    disabled: int


def list_endpoints() -> Sequence[sa.Row[Any]]:
    """All webhooks, the oldest first."""
    return read_all(sa.select(endpoints).order_by(endpoints.c.created_at, endpoints.c.id))


def find_endpoint(endpoint_id: uuid.UUID) -> sa.Row[Any] | None:
    """One webhook."""
    return read_one(sa.select(endpoints).where(endpoints.c.id == endpoint_id))


def lock_endpoint(endpoint_id: uuid.UUID) -> WebhookEndpoint | None:
    """A webhook, locked until the transaction ends."""
    statement = sa.select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).with_for_update()
    return db.session.scalar(statement.execution_options(populate_existing=True))


def count_endpoints() -> int:
    """The number of webhooks, which no other transaction increases before this one ends."""
    writes.wait_for_turn(CREATION_LOCK)
    return db.session.scalar(sa.select(sa.func.count()).select_from(endpoints)) or 0


def has_endpoints() -> bool:
    """Whether there is any webhook."""
    return read_one(sa.select(endpoints.c.id).limit(1)) is not None


def list_events(endpoint_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """The actions and patterns that webhooks want, in alphabetical order."""
    wanted = subscriptions.c.endpoint_id.in_(endpoint_ids)
    found = read_all(sa.select(subscriptions).where(wanted).order_by(subscriptions.c.pattern))
    by_endpoint: dict[uuid.UUID, list[str]] = {endpoint_id: [] for endpoint_id in endpoint_ids}
    for row in found:
        by_endpoint[row.endpoint_id].append(row.pattern)
    return by_endpoint


def events_in_transaction(endpoint_id: uuid.UUID) -> list[str]:
    """The same for one webhook, as the present transaction sees it."""
    wanted = sa.select(subscriptions.c.pattern).where(subscriptions.c.endpoint_id == endpoint_id)
    return list(db.session.scalars(wanted.order_by(subscriptions.c.pattern)))


def replace_events(endpoint_id: uuid.UUID, patterns: Collection[str]) -> None:
    """Write which actions and patterns a webhook wants."""
    db.session.execute(sa.delete(subscriptions).where(subscriptions.c.endpoint_id == endpoint_id))
    rows = [{"endpoint_id": endpoint_id, "pattern": pattern} for pattern in sorted(patterns)]
    db.session.execute(sa.insert(subscriptions), rows)


def list_deliveries(
    endpoint_id: uuid.UUID, state: State | None = None, before_id: int | None = None, limit: int = 50
) -> Sequence[sa.Row[Any]]:
    """The deliveries of a webhook, the newest first.

    Args:
        endpoint_id: the webhook.
        state: only those that are shown in this state.
        before_id: only those with a smaller id.
        limit: the maximum number.
    """
    statement = _shown_deliveries(endpoint_id).order_by(deliveries.c.id.desc()).limit(limit)
    if before_id is not None:
        statement = statement.where(deliveries.c.id < before_id)
    if state is not None:
        statement = statement.where(_is_shown_as(state))
    return read_all(statement)


def find_delivery(endpoint_id: uuid.UUID, delivery_id: int) -> sa.Row[Any] | None:
    """One delivery of a webhook."""
    return read_one(_shown_deliveries(endpoint_id).where(deliveries.c.id == delivery_id))


def list_attempts(delivery_id: int) -> Sequence[sa.Row[Any]]:
    """The attempts of a delivery, the oldest first."""
    return read_all(sa.select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.id))


def count_waiting() -> dict[uuid.UUID, int]:
    """How many deliveries wait, by webhook."""
    waiting = deliveries.c.state == State.WAITING
    counted = sa.select(deliveries.c.endpoint_id, sa.func.count().label("number"))
    return {row.endpoint_id: row.number for row in read_all(counted.where(waiting).group_by(deliveries.c.endpoint_id))}


def read_backlog(now: datetime) -> Backlog:
    """What waits, for health checks and metrics."""
    joined = endpoints.join(deliveries, deliveries.c.endpoint_id == endpoints.c.id)
    waiting = deliveries.c.state == State.WAITING
    is_active, is_disabled = endpoints.c.disabled_at.is_(None), endpoints.c.disabled_at.is_not(None)
    count = sa.func.count
    since = sa.select(sa.func.min(deliveries.c.due_at, type_=deliveries.c.due_at.type)).select_from(joined)
    row: Any = read_one(
        sa.select(
            sa.select(count()).select_from(endpoints).scalar_subquery().label("webhooks"),
            since.where(_is_due(now), is_active, _is_unpaused(now)).scalar_subquery().label("since"),
            sa.select(count()).select_from(joined).where(waiting).scalar_subquery().label("waiting"),
            sa.select(count()).select_from(joined).where(waiting, is_disabled).scalar_subquery().label("held"),
            sa.select(count())
            .where(is_active, endpoints.c.failing_since.is_not(None))
            .scalar_subquery()
            .label("failing"),
            sa.select(count())
            .where(is_disabled, endpoints.c.disabled_reason != "staff")
            .scalar_subquery()
            .label("disabled"),
        )
    )
    return Backlog(*row)


def count_due(now: datetime, limit: int) -> int:
    """The number of webhooks, up to a limit, that something can be sent to now. Call it outside a transaction."""
    return len(read_all(sa.select(endpoints.c.id).where(_can_be_claimed(now)).limit(limit)))


def claim_endpoint(now: datetime, lease: timedelta) -> sa.Row[Any] | None:
    """Claim the webhook with something to deliver that was not tried for longest; `leases.finish` ends the claim."""
    order = (endpoints.c.tried_at.nulls_first(), endpoints.c.id)
    return leases.claim(endpoints, _can_be_claimed(now), *order, now=now, lease=lease, tried_at=now)


def first_failure(now: datetime) -> sa.ColumnElement[datetime]:
    """When the failures of a webhook began: as stored, which staff may have just cleared, or now."""
    stored = endpoints.c.failing_since
    return sa.func.coalesce(stored, sa.literal(now, stored.type))


def take_delivery(endpoint_id: uuid.UUID, now: datetime) -> sa.Row[Any] | None:
    """The delivery of a claimed webhook that has been due longest; counts the attempt."""
    first = (
        sa.select(deliveries.c.id)
        .where(_is_due(now), deliveries.c.endpoint_id == endpoint_id)
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(1)
    )
    return db.session.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == first.scalar_subquery(), deliveries.c.state == State.WAITING)
        .values(attempts=deliveries.c.attempts + 1)
        .returning(*deliveries.c)
    ).one_or_none()


def settle_delivery(delivery_id: int, **outcome: Any) -> bool:
    """Write what became of a delivery; whether it still exists."""
    return count_rows(sa.update(deliveries).where(deliveries.c.id == delivery_id).values(outcome)) == 1


def add_attempt(delivery_id: int, **facts: Any) -> None:
    """Write an attempt."""
    db.session.execute(sa.insert(attempts).values(delivery_id=delivery_id, **facts))


def disable(endpoint_id: uuid.UUID, reason: str, now: datetime) -> bool:
    """Disable a webhook; False if it was disabled already."""
    is_active = sa.and_(endpoints.c.id == endpoint_id, endpoints.c.disabled_at.is_(None))
    return count_rows(sa.update(endpoints).where(is_active).values(disabled_at=now, disabled_reason=reason)) == 1


def replay(endpoint_id: uuid.UUID, condition: sa.ColumnElement[bool], now: datetime, cooldown: timedelta) -> int:
    """Let ended deliveries of a webhook wait again, except those replayed a moment ago; returns the number."""
    is_new = sa.or_(deliveries.c.replayed_at.is_(None), deliveries.c.replayed_at <= now - cooldown)
    ended = sa.and_(deliveries.c.endpoint_id == endpoint_id, deliveries.c.state.in_(ENDED))
    values = {"state": State.WAITING, "due_at": now, "attempts": 0, "ended_at": None, "replayed_at": now}
    return count_rows(sa.update(deliveries).where(ended, is_new, condition).values(values))


def drop_waiting(endpoint_id: uuid.UUID, now: datetime) -> int:
    """End the deliveries of a webhook that wait; returns the number."""
    return _change_waiting(endpoint_id, state=State.DROPPED, due_at=None, ended_at=now)


def retry_waiting(endpoint_id: uuid.UUID, now: datetime) -> int:
    """Make the deliveries due immediately that wait for another attempt; returns the number."""
    return _change_waiting(endpoint_id, deliveries.c.attempts > 0, due_at=now, attempts=0)


def clear_excerpts(user_id: int) -> None:
    """Delete what receivers answered to events about a user: an answer can repeat what was sent."""
    of_user = sa.select(deliveries.c.id).where(deliveries.c.user_id == user_id)
    db.session.execute(sa.update(attempts).where(attempts.c.delivery_id.in_(of_user)).values(excerpt=""))


def prune(before: datetime, limit: int) -> int:
    """Delete up to a number of deliveries that were queued before a moment; returns the number."""
    return delete_some(WebhookDelivery.id, WebhookDelivery.created_at < before, limit)


def _change_waiting(endpoint_id: uuid.UUID, *conditions: sa.ColumnElement[bool], **values: Any) -> int:
    waiting = sa.and_(deliveries.c.endpoint_id == endpoint_id, deliveries.c.state == State.WAITING, *conditions)
    return count_rows(sa.update(deliveries).where(waiting).values(values))


def _shown_deliveries(endpoint_id: uuid.UUID) -> sa.Select[Any]:
    held = sa.and_(deliveries.c.state == State.WAITING, endpoints.c.disabled_at.is_not(None))
    shown = sa.case((held, State.HELD.value), else_=deliveries.c.state).label("shown_state")
    joined = deliveries.join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
    return sa.select(*deliveries.c, shown).select_from(joined).where(deliveries.c.endpoint_id == endpoint_id)


def _is_shown_as(state: State) -> sa.ColumnElement[bool]:
    if state is State.HELD:
        return sa.and_(deliveries.c.state == State.WAITING, endpoints.c.disabled_at.is_not(None))
    if state is State.WAITING:
        return sa.and_(deliveries.c.state == State.WAITING, endpoints.c.disabled_at.is_(None))
    is_in: sa.ColumnElement[bool] = deliveries.c.state == state
    return is_in


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(deliveries.c.state == State.WAITING, deliveries.c.due_at <= now)


def _is_unpaused(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(endpoints.c.paused_until.is_(None), endpoints.c.paused_until <= now)


def _can_be_claimed(now: datetime) -> sa.ColumnElement[bool]:
    has_due = sa.exists().where(deliveries.c.endpoint_id == endpoints.c.id, _is_due(now))
    is_active = endpoints.c.disabled_at.is_(None)
    return sa.and_(is_active, _is_unpaused(now), leases.is_unclaimed(endpoints, now), has_due)
