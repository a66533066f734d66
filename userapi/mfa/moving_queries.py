"""The statements that move second factors in and out."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.core import writes
from userapi.core.db import db

from .models import RecoveryCode, SecondFactors, TotpDevice
from .passkey_models import Passkey
from .queries import MAX_FAILURES

second_factors: Any = SecondFactors.__table__
apps: Any = TotpDevice.__table__
passkeys: Any = Passkey.__table__
recovery_codes: Any = RecoveryCode.__table__

#: What an import changes in the row of a user who has no factor, but has begun to set one up or is locked.
UPDATED = ("active_since", "failures", "codes_made_at")


@dataclass
class MovedRows:
    """The rows to insert, by table."""

    second_factors: list[dict[str, Any]] = field(default_factory=list)
    apps: list[dict[str, Any]] = field(default_factory=list)
    passkeys: list[dict[str, Any]] = field(default_factory=list)
    recovery_codes: list[dict[str, Any]] = field(default_factory=list)


class StoredRows(NamedTuple):
    """The rows of some users, by table; the recovery codes of an account are not among them."""

    second_factors: Sequence[sa.Row[Any]]
    apps: Sequence[sa.Row[Any]]
    passkeys: Sequence[sa.Row[Any]]


def insert(rows: MovedRows) -> set[uuid.UUID]:
    """Insert the rows.

    Returns:
        The ids of the passkeys that were inserted; the others belong to an account already.
    """
    shared = writes.insert(second_factors)
    updated = {name: shared.excluded[name] for name in UPDATED}
    db.session.execute(shared.on_conflict_do_update(index_elements=["user_id"], set_=updated), rows.second_factors)
    for table, values in ((apps, rows.apps), (recovery_codes, rows.recovery_codes)):
        if values:
            db.session.execute(sa.insert(table), values)
    if not rows.passkeys:
        return set()
    statement = writes.insert(passkeys).on_conflict_do_nothing(index_elements=["credential_digest"])
    return set(db.session.scalars(statement.returning(passkeys.c.id), rows.passkeys))


def lock(user_ids: Collection[int]) -> None:
    """Accept no codes of users."""
    if user_ids:
        writes.count_rows(
            sa.update(SecondFactors).where(SecondFactors.user_id.in_(user_ids)).values(failures=MAX_FAILURES)
        )


def use_up_steps(last_steps: Mapping[tuple[int, int], int]) -> None:
    """Use up a time step, and all older ones, of the apps of a user with a period: steps by user id and period."""
    step: Any = sa.bindparam("step")
    statement = (
        sa.update(apps)
        .where(apps.c.user_id == sa.bindparam("owner"), apps.c.period == sa.bindparam("seconds"))
        .where(apps.c.last_step < step)
        .values(last_step=step)
    )
    parameters = [{"owner": user_id, "seconds": period, "step": last} for (user_id, period), last in last_steps.items()]
    if parameters:
        db.session.connection().execute(statement, parameters)


def find_users(user_ids: Collection[int]) -> set[int]:
    """Those of these users who have a confirmed app, a passkey or recovery codes, also used ones."""
    owners = (
        sa.select(table.c.user_id).where(table.c.user_id.in_(user_ids), *conditions)
        for table, conditions in ((apps, (apps.c.confirmed_at.is_not(None),)), (passkeys, ()), (recovery_codes, ()))
    )
    return set(db.session.scalars(sa.union(*owners)))


def read_page(connection: sa.Connection, first: int, last: int) -> StoredRows:
    """The second factors of users with ids from `first` to `last`, oldest first.

    Args:
        connection: reads as of one moment.
        first: the first user id.
        last: the last user id.
    """

    def read(table: Any, *conditions: Any) -> Sequence[sa.Row[Any]]:
        statement = sa.select(table).where(table.c.user_id.between(first, last), *conditions)
        order = (table.c.created_at, table.c.id) if "created_at" in table.c else ()
        return connection.execute(statement.order_by(table.c.user_id, *order)).all()

    return StoredRows(read(second_factors), read(apps, apps.c.confirmed_at.is_not(None)), read(passkeys))
