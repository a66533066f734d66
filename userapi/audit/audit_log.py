"""Writing the audit log: an event is in the transaction of its action, so neither is committed without the other."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session, SessionTransaction

from userapi.core import clock, hooks
from userapi.core.context import get_acting_context
from userapi.core.db import db
from userapi.core.hooks import Event, Hooks
from userapi.core.prepared import Write
from userapi.observability import logs, metrics

from . import subscribers
from .models import AuditEvent

#: Fields whose values are never stored: secrets, and search words, which may be the email address or name of an account
#: and could not be found when that is deleted.
SEARCHES = frozenset({"search", "staff_search"})
SECRET = SEARCHES | frozenset(
    {"password", "password_hash", "token", "refresh_token", "access_token", "secret", "code", "recovery_code"}
    | {"mfa_token", "device_token", "credential", "handle", "api_key"}
    | {"client_secret", "code_verifier", "device_code", "user_code", "id_token", "id_token_hint", "logout_token"}
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

#: The actions of a database session with their events and transactions, in its `info`, until they are committed. The
#: event is None if no extension or signal needs it.
RECORDED = "userapi-actions-recorded"

events: Any = AuditEvent.__table__

#: The columns that an event does not have when it is written.
LATER = ("id", "position")

VALUES = {each.name: sa.bindparam(each.name, type_=each.type) for each in events.c if each.name not in LATER}
INSERT = sa.insert(events).values(VALUES).returning(events.c.id)

Changes = Mapping[str, tuple[Any, Any]]


class _Default(Enum):
    CALLER = "the caller"


#: The actor of an event that names no other.
CALLER: Final = _Default.CALLER


def configure(app: Flask) -> None:
    """Count each event once it is committed, and send its signal."""
    for action in WATCHED:
        metrics.get_metrics(app).events.labels(action)
    sa.event.listen(db.session, "after_commit", _count_and_signal)
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

    Raises:
        hooks.Denied, hooks.HookFailed: a subscriber of an extension raised it.
    """
    registered, described = hooks.get_hooks(), describe(action, target_kind, target_id, changes, actor_id=actor_id)
    row = _get_statement(registered).one(**described)
    now, target, written = described["occurred_at"], described["target_id"], described["changes"]
    for recorder, is_met in zip(registered.on_record, row[1:], strict=True):
        if is_met and recorder.is_called_for(action):
            recorder.function(row.id, action, now, target_kind, target)
    event = None
    if subscribers.is_anyone_interested(registered):
        event = Event(
            id=row.id,
            action=action,
            occurred_at=now,
            actor_id=described["actor_id"],
            origin=described["origin"],
            target_kind=target_kind,
            target_id=target,
            key_id=described["key_id"],
            changed=tuple(written or ()),
            changes=written or {},
        )
    session = db.session()
    within = session.get_nested_transaction() or session.get_transaction()
    session.info.setdefault(RECORDED, []).append((action, event, within))
    _log(described)
    if event is not None:
        subscribers.publish(event, registered)
    return int(row.id)


def describe(
    action: str,
    target_kind: str | None,
    target_id: object,
    changes: Changes | None,
    *,
    actor_id: int | _Default | None = CALLER,
) -> dict[str, Any]:
    """The parameters of a statement that writes an event, and of the conditions of recorders."""
    context = get_acting_context()
    return {
        "occurred_at": clock.now(),
        "action": action,
        "of_kind": f"{action.partition('.')[0]}.*",
        "actor_id": context.actor_id if actor_id is CALLER else actor_id,
        "origin": context.origin.value,
        "os_user": context.os_user,
        "target_kind": target_kind,
        "target_id": None if target_id is None else str(target_id),
        "address": context.ip_address,
        "user_agent": context.user_agent,
        "request_id": context.request_id,
        "key_id": context.key_id,
        "impersonator_id": context.impersonator_id,
        "changes": _written(changes) if changes else None,
    }


def can_write_alone(action: str) -> bool:
    """Whether an event can be written outside the session's transaction, unless one of `list_conditions` is met."""
    registered = hooks.get_hooks()
    return not subscribers.is_anyone_interested(registered) and all(
        each.condition is not None for each in registered.on_record if each.is_called_for(action)
    )


def list_conditions(action: str) -> list[Any]:
    """The conditions under which more has to happen in the transaction of an event; parameters as of `describe`."""
    return [each.condition for each in hooks.get_hooks().on_record if each.is_called_for(action)]


def insert_for_each(source: Any) -> Any:
    """The INSERT of an event for each row of another part of the same statement; parameters as of `describe`."""
    each_row = sa.select(*VALUES.values()).select_from(source)
    return sa.insert(events).from_select(list(VALUES), each_row).returning(events.c.id)


def announce(described: Mapping[str, Any]) -> None:
    """Count and log an event that was committed outside the session's transaction."""
    metrics.get_current_metrics().events.labels(described["action"]).inc()
    _log(described)


def _log(described: Mapping[str, Any]) -> None:
    target = described["target_id"]
    logs.log_hot_event(
        "userapi.audit",
        described["action"],
        actor=described["actor_id"],
        origin=described["origin"],
        target=None if target is None else f"{described['target_kind']}:{target}",
        address=described["address"],
        fields=sorted(described["changes"]) if described["changes"] else None,
        **({} if described["impersonator_id"] is None else {"impersonator": described["impersonator_id"]}),
    )


def _get_statement(registered: Hooks) -> Write:
    """The INSERT of an event, which also returns the condition of each recorder."""
    found: Write | None = registered.statements.get(events)
    if found is None:
        conditions = [sa.true() if each.condition is None else each.condition for each in registered.on_record]
        labelled = [condition.label(f"condition_{index}") for index, condition in enumerate(conditions)]
        found = registered.statements[events] = Write(INSERT.returning(*labelled))
    return found


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


def _count_and_signal(session: Session) -> None:
    if not session.in_nested_transaction():
        for action, event, _within in session.info.pop(RECORDED, ()):
            metrics.get_current_metrics().events.labels(action).inc()
            if event is not None:
                subscribers.send_signal(event)


def _discount(session: Session, undone: SessionTransaction) -> None:
    """Do not count what was rolled back, with a savepoint or the whole transaction."""
    recorded = session.info.get(RECORDED, [])
    recorded[:] = [each for each in recorded if undone not in _lineage(each[-1])]


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
