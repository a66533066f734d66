"""Writing the audit log: an event is in the transaction of its action, so neither is committed without the other."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session, SessionTransaction

from userapi.core import clock
from userapi.core.context import get_acting_context
from userapi.core.db import db
from userapi.core.prepared import Write
from userapi.observability import logs, metrics

from .models import AuditEvent

#: Fields whose values are never stored: secrets, and search words, which may be the email address or name of an account
#: and could not be found when that is deleted.
SEARCHES = frozenset({"search", "staff_search"})
SECRET = SEARCHES | frozenset(
    {"password", "password_hash", "token", "refresh_token", "access_token", "secret", "code", "recovery_code"}
    | {"mfa_token", "device_token", "credential", "handle"}
)

#: Replaces secret and deleted values.
WITHHELD = "…"

#: Actions that alerts watch: exported as 0, so that an alert sees the first one.
WATCHED = (
    "session.started",
    "sign_in.failed",
    "session.token_reused",
    "user.password_check_failed",
    "user.rights_changed",
    "users.exported",
    "second_step.failed",
    "factors.reset",
)

#: The actions of a database session with their transactions, in its `info`, until they are committed and counted.
RECORDED = "userapi-actions-recorded"

events: Any = AuditEvent.__table__

INSERT = Write(
    sa.insert(events)
    .values({column.name: sa.bindparam(column.name, type_=column.type) for column in events.c if column.name != "id"})
    .returning(events.c.id)
)

Changes = Mapping[str, tuple[Any, Any]]


class _Default(Enum):
    CALLER = "the caller"


#: The actor of an event that names no other.
CALLER: Final = _Default.CALLER


def configure(app: Flask) -> None:
    """Count each event once it is committed."""
    for action in WATCHED:
        metrics.get_metrics(app).events.labels(action)
    sa.event.listen(db.session, "after_commit", _count)
    sa.event.listen(db.session, "after_soft_rollback", _discount)


def record(
    action: str,
    target_kind: str | None = None,
    target_id: object = None,
    changes: Changes | None = None,
    *,
    actor_id: int | _Default | None = CALLER,
) -> int:
    """Write an event.

    Args:
        action: such as `user.created`; `docs/events.md` lists them.
        target_kind: the kind of the target, such as `user`.
        target_id: its id.
        changes: `{field: (before, after)}`.
        actor_id: an actor other than the caller, as in a sign-in, which has no caller yet.

    Returns:
        The id of the event, for `amend`.
    """
    context = get_acting_context()
    actor = context.actor_id if actor_id is CALLER else actor_id
    written = _written(changes) if changes else None
    event = INSERT.one(
        occurred_at=clock.now(),
        action=action,
        actor_id=actor,
        origin=context.origin.value,
        os_user=context.os_user,
        target_kind=target_kind,
        target_id=None if target_id is None else str(target_id),
        address=context.ip_address,
        user_agent=context.user_agent,
        request_id=context.request_id,
        changes=written,
    )
    session = db.session()
    within = session.get_nested_transaction() or session.get_transaction()
    session.info.setdefault(RECORDED, []).append((action, within))
    logs.log_hot_event(
        "userapi.audit",
        action,
        actor=actor,
        origin=context.origin.value,
        target=None if target_id is None else f"{target_kind}:{target_id}",
        address=context.ip_address,
        fields=sorted(written) if written else None,
    )
    return int(event.id)


def record_history(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the events of sample users, in the given order; they are neither counted nor logged."""
    db.session.execute(sa.insert(AuditEvent), rows)


def amend(event_id: int, changes: Changes) -> None:
    """Update the changes of an event whose action spans several transactions, in one of these."""
    db.session.execute(sa.update(AuditEvent).where(AuditEvent.id == event_id).values(changes=_written(changes)))


def forget(target_kind: str, target_id: object) -> None:
    """Hide the values in the events of a target; the action, the actor and the time stay."""
    events = db.session.scalars(
        sa.select(AuditEvent).where(
            AuditEvent.target_kind == target_kind,
            AuditEvent.target_id == str(target_id),
            AuditEvent.changes.is_not(None),
        )
    )
    for event in events:
        event.changes = {name: [WITHHELD, WITHHELD] for name in event.changes or {}}


def _count(session: Session) -> None:
    if not session.in_nested_transaction():
        for action, _within in session.info.pop(RECORDED, ()):
            metrics.get_current_metrics().events.labels(action).inc()


def _discount(session: Session, undone: SessionTransaction) -> None:
    """Do not count what was rolled back, with a savepoint or the whole transaction."""
    recorded = session.info.get(RECORDED, [])
    recorded[:] = [(action, within) for action, within in recorded if undone not in _lineage(within)]


def _lineage(transaction: SessionTransaction | None) -> Iterator[SessionTransaction]:
    while transaction is not None:
        yield transaction
        transaction = transaction.parent


def _written(changes: Changes) -> dict[str, Any]:
    return {name: _pair(name, *values) for name, values in changes.items()}


def _pair(name: str, before: Any, after: Any) -> list[Any]:
    if name.rpartition(".")[2] in SECRET:
        return [WITHHELD, WITHHELD]
    return [_plain(before), _plain(after)]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | bool | list) else str(value)
