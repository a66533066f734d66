"""Writing the trail: an event is part of the transaction of the act it tells of; neither stands without the other."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session, SessionTransaction

from userapi.core import clock
from userapi.core.context import acting
from userapi.core.db import db
from userapi.core.prepared import Write
from userapi.observability import logs, metrics

from .models import AuditEvent

#: Fields whose values are never stored: secrets, and the words of searches, which may be the email or name of an
#: account and could not be found again when that is deleted.
SEARCHES = frozenset({"search", "staff_search"})
SECRET = frozenset({"password", "password_hash", "token", "refresh_token", "access_token"}) | SEARCHES

#: What stands in the place of a secret or forgotten value.
WITHHELD = "…"

#: Counted from nothing on, so that the first one shows: what an alert looks at.
ALARMING = (
    "session.started",
    "sign_in.failed",
    "session.token_reused",
    "user.password_check_failed",
    "user.rights_changed",
    "users.exported",
)

#: Keeps the actions of a database session, each with its transaction, until they are committed and count.
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
    for action in ALARMING:
        metrics.of(app).events.labels(action)
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
    """Write that something happened; the event's id, for what goes on over several transactions.

    Args:
        action: what, as `user.created`; listed in `docs/events.md`.
        target_kind: what kind of record it happened to.
        target_id: which one.
        changes: `{field: (before, after)}`.
        actor_id: another actor than the caller, as in a sign-in, when nobody is signed in yet.
    """
    by = acting()
    actor = by.actor_id if actor_id is CALLER else actor_id
    written = _written(changes) if changes else None
    event = INSERT.one(
        occurred_at=clock.now(),
        action=action,
        actor_id=actor,
        origin=by.origin.value,
        os_user=by.os_user,
        target_kind=target_kind,
        target_id=None if target_id is None else str(target_id),
        address=by.address,
        request_id=by.request_id,
        changes=written,
    )
    session = db.session()
    within = session.get_nested_transaction() or session.get_transaction()
    session.info.setdefault(RECORDED, []).append((action, within))
    logs.write(
        "userapi.audit",
        action,
        actor=actor,
        origin=by.origin.value,
        target=None if target_id is None else f"{target_kind}:{target_id}",
        address=by.address,
        fields=sorted(written) if written else None,
    )
    return int(event.id)


def record_history(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write events of a past that was made up, in the order given: they are neither counted nor logged."""
    db.session.execute(sa.insert(AuditEvent), rows)


def amend(event_id: int, changes: Changes) -> None:
    """Write how an act of several transactions stands, in the transaction that takes it further."""
    db.session.execute(sa.update(AuditEvent).where(AuditEvent.id == event_id).values(changes=_written(changes)))


def forget(target_kind: str, target_id: object) -> None:
    """Withhold the values in a target's events; what was done, by whom and when stays."""
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
            metrics.counted().events.labels(action).inc()


def _discount(session: Session, undone: SessionTransaction) -> None:
    """Let what was rolled back, with a savepoint or as a whole, not count."""
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
