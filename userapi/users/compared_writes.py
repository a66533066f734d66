"""Edits in one statement that compares, changes and records, and commits by itself (decision 0108).

Only for PostgreSQL: SQLite has no such statement, and there a transaction costs no round trips.
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from userapi.audit import audit_log
from userapi.core import hooks
from userapi.core.db import db
from userapi.core.prepared import CommittingWrite

from .declaration import get_declaration
from .queries import users
from .user_values import UserValues, key_of, update_of

ACTION = "user.changed"


class NotWritten(Exception):
    """The user is not as it was read, or the edit needs a transaction. Nothing was written."""


def are_possible() -> bool:
    """Whether the changes of a user can be written in one statement, as long as they are in one table."""
    return db.engine.dialect.name == "postgresql" and not get_declaration().keyed and audit_log.can_write_alone(ACTION)


def write(user: UserValues, sent: Collection[str], changes: audit_log.Changes) -> None:
    """Store what changed of a user who was read but not locked, with its event.

    Args:
        user: as it shall be.
        sent: the columns that it shall have these values in, also those that had them when they were read.
        changes: for the event.

    Raises:
        NotWritten: another request has changed the same columns since, is about to change the user or has deleted it,
            a webhook wants the event, or the columns are in both tables.
    """
    changed = user.list_changes(sent)
    if len(changed) != 1:
        raise NotWritten
    ((table, before, now),) = changed
    event = audit_log.describe(ACTION, "user", user.id, changes)
    old = {f"old_{name}": value for name, value in before.items()}
    new = {f"new_{name}": value for name, value in now.items()}
    statement = _find_statement(table, tuple(before), tuple(now))
    if statement.one(compared_id=user.id, **old, **new, **event) is None:
        raise NotWritten
    audit_log.announce(event)


def _find_statement(table: Any, compared: tuple[str, ...], names: tuple[str, ...]) -> CommittingWrite:
    made = hooks.get_hooks().statements
    found: CommittingWrite | None = made.get((table.name, names))
    if found is None:
        found = made[(table.name, names)] = _make_statement(table, compared, names)
    return found


def _make_statement(table: Any, compared: tuple[str, ...], names: tuple[str, ...]) -> CommittingWrite:
    """Lock the user as all edits do, compare and change the columns, and write the event if that was possible.

    It waits for no lock: after that, it would still see the webhooks from before.
    """
    conditions = map(sa.not_, audit_log.list_conditions(ACTION))
    found = sa.select(users.c.id).where(users.c.id == sa.bindparam("compared_id"), *conditions)
    locked = found.with_for_update(skip_locked=True)
    is_same = (table.c[name].is_not_distinct_from(_old(table.c[name])) for name in compared)
    changed = update_of(table, names).where(key_of(table) == locked.cte("locked").select().scalar_subquery(), *is_same)
    return CommittingWrite(audit_log.insert_for_each(changed.returning(key_of(table)).cte("changed")))


def _old(column: Any) -> sa.BindParameter[Any]:
    return sa.bindparam(f"old_{column.name}", type_=column.type)
