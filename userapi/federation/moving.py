"""Identities that come from another service with their users, or go to one. Neither has tokens of a provider."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.audit import audit_log
from userapi.core import clock, writes
from userapi.core.db import db

from .queries import identities as table

#: The columns of an identity in a file.
COLUMNS = ("issuer", "subject", "provider", "email", "created_at", "last_used_at")


class ImportedIdentity(NamedTuple):
    """An identity in a file; the attributes are those of `Identity`.

    Attributes:
        created_at: None if it is not known.
    """

    issuer: str
    subject: str
    provider: str
    email: str | None = None
    created_at: datetime | None = None
    last_used_at: datetime | None = None


def insert(imported: Mapping[int, Sequence[ImportedIdentity]]) -> set[int]:
    """Link identities to users, unless they are linked already.

    An imported email is for people to recognize the identity by: no provider has said here that it may be trusted.

    Args:
        imported: by user id; at least one.

    Returns:
        The ids of the users who lack an identity because it is linked to another account.
    """
    now = clock.now()
    rows = [
        {**each._asdict(), "user_id": user_id, "email_trusted": False, "created_at": each.created_at or now}
        for user_id, identities in imported.items()
        for each in identities
    ]
    statement = writes.insert(table).on_conflict_do_nothing(index_elements=["issuer", "subject"])
    added = db.session.execute(statement.returning(table.c.user_id, table.c.provider), rows).all()
    for user_id, provider in added:
        audit_log.record("identity.linked", "user", user_id, {"provider": (None, provider)})
    if len(added) == len(rows):
        return set()
    own = sa.select(table.c.user_id, table.c.issuer, table.c.subject).where(table.c.user_id.in_(imported))
    linked = {tuple(row) for row in db.session.execute(own)}
    return {row["user_id"] for row in rows if (row["user_id"], row["issuer"], row["subject"]) not in linked}


def read(connection: sa.Connection, first: int, last: int) -> dict[int, list[dict[str, Any]]]:
    """The identities of users with ids from `first` to `last`, oldest first, by user id.

    Args:
        connection: reads as of one moment.
        first: the first user id.
        last: the last user id.
    """
    statement = sa.select(table.c.user_id, *(table.c[name] for name in COLUMNS))
    found: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(
        statement.where(table.c.user_id.between(first, last)).order_by(table.c.user_id, table.c.created_at, table.c.id)
    ):
        found.setdefault(row.user_id, []).append({name: getattr(row, name) for name in COLUMNS})
    return found
