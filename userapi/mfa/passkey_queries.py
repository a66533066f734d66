"""The statements about passkeys, and the writes that only one of several requests can win."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all
from userapi.core.prepared import Read
from userapi.core.writes import delete_some, hits, insert
from userapi.users.models import User
from userapi.users.queries import IS_ACTIVE_PERSON

from .models import SecondFactors
from .passkey_models import Passkey, UsedChallenge

passkeys = Passkey.__table__
second_factors = SecondFactors.__table__
users: Any = User.__table__

KNOWN = Read(
    sa.select(
        passkeys.c.id,
        passkeys.c.user_id,
        passkeys.c.public_key,
        passkeys.c.backup_eligible,
        passkeys.c.user_verified,
        sa.func.coalesce(passkeys.c.handle, second_factors.c.handle, type_=sa.LargeBinary()).label("handle"),
        users.c.session_version,
        users.c.password_hash,
        IS_ACTIVE_PERSON,
        users.c.email_verified_at,
    )
    .join(users, users.c.id == passkeys.c.user_id)
    .join(second_factors, second_factors.c.user_id == passkeys.c.user_id)
    .where(passkeys.c.credential_digest == sa.bindparam("credential_digest"), passkeys.c.rp_id == sa.bindparam("rp_id"))
)


def read_known(credential_digest: str, rp_id: str) -> Any:
    """A passkey, with the user handle of its account and what a sign-in looks at; None if it is unknown."""
    return KNOWN.one(credential_digest=credential_digest, rp_id=rp_id)


#: What users see of a passkey, and browsers need.
SHOWN = tuple(
    passkeys.c[name]
    for name in (
        "id", "name", "created_at", "last_used_at", "user_verified", "discoverable", "backed_up", "transports",
        "credential_id", "rp_id",
    )
)  # fmt: skip


def list_passkeys(user_id: int) -> Sequence[Any]:
    """The passkeys of a user, oldest first, outside any transaction."""
    own = sa.select(*SHOWN).where(passkeys.c.user_id == user_id)
    return read_all(own.order_by(passkeys.c.created_at, passkeys.c.id))


def count_passkeys(user_id: int) -> int:
    """The number of passkeys of a user, as the current transaction sees them."""
    return db.session.scalar(sa.select(sa.func.count()).where(Passkey.user_id == user_id)) or 0


def count_sign_in_passkeys(user_id: int, rp_id: str) -> int:
    """The number of passkeys of a user that sign in alone at a site, as the current transaction sees them."""
    alone = (Passkey.rp_id == rp_id, Passkey.user_verified, Passkey.discoverable.is_not(sa.false()))
    return db.session.scalar(sa.select(sa.func.count()).where(Passkey.user_id == user_id, *alone)) or 0


def read_names(user_id: int) -> Sequence[str]:
    """The names of the passkeys of a user, oldest first, as the current transaction sees them."""
    own = sa.select(Passkey.name).where(Passkey.user_id == user_id)
    return db.session.scalars(own.order_by(Passkey.created_at, Passkey.id)).all()


def read_handle(user_id: int) -> bytes:
    """The user handle of an account that has second factors, as the current transaction sees it."""
    return db.session.execute(sa.select(SecondFactors.handle).where(SecondFactors.user_id == user_id)).scalar_one()


def use_challenge(digest: str, expires_at: datetime) -> bool:
    """Store that a challenge was answered; only one caller can win."""
    statement = insert(UsedChallenge).values(digest=digest, expires_at=expires_at).on_conflict_do_nothing()
    return db.session.scalar(statement.returning(UsedChallenge.digest)) is not None


def use_passkey(
    passkey_id: uuid.UUID, user_id: int, sign_count: int, *, backed_up: bool, proves_verification: bool, now: datetime
) -> bool:
    """Store a use of a passkey; False if it was removed, or if the counter of one that cannot be synced went back."""
    went_back = sa.and_(sa.or_(Passkey.sign_count > 0, sa.literal(sign_count) > 0), Passkey.sign_count >= sign_count)
    return hits(
        sa.update(Passkey)
        .where(
            Passkey.id == passkey_id, Passkey.user_id == user_id, sa.or_(Passkey.backup_eligible, sa.not_(went_back))
        )
        .values(
            sign_count=sa.case((Passkey.sign_count < sign_count, sign_count), else_=Passkey.sign_count),
            backed_up=backed_up,
            user_verified=sa.or_(Passkey.user_verified, sa.literal(proves_verification)),
            last_used_at=now,
            counter_went_back_at=sa.case((went_back, now), else_=Passkey.counter_went_back_at),
        )
    )


def set_counter_went_back(passkey_id: uuid.UUID, user_id: int, now: datetime, not_since: datetime) -> str | None:
    """Store that the counter of a passkey went back.

    Returns:
        The name of the passkey; None if it was removed, or if this was stored since a time.
    """
    return db.session.scalar(
        sa.update(Passkey)
        .where(
            Passkey.id == passkey_id,
            Passkey.user_id == user_id,
            sa.or_(Passkey.counter_went_back_at.is_(None), Passkey.counter_went_back_at < not_since),
        )
        .values(counter_went_back_at=now)
        .returning(Passkey.name)
        .execution_options(synchronize_session=False)
    )


def rename_passkey(passkey_id: uuid.UUID, user_id: int, name: str) -> Any:
    """Rename a passkey of a user; what users see of it, or None if there is none."""
    return db.session.execute(
        sa.update(Passkey)
        .where(Passkey.id == passkey_id, Passkey.user_id == user_id)
        .values(name=name)
        .returning(*SHOWN)
        .execution_options(synchronize_session=False)
    ).one_or_none()


def delete_passkey(passkey_id: uuid.UUID, user_id: int) -> str | None:
    """Delete a passkey of a user; its name, or None if there is none."""
    return db.session.scalar(
        sa.delete(Passkey)
        .where(Passkey.id == passkey_id, Passkey.user_id == user_id)
        .returning(Passkey.name)
        .execution_options(synchronize_session=False)
    )


def delete_expired_challenges(before: datetime, most: int) -> int:
    """Delete used challenges that expired before a time, at most `most` of them; the number deleted."""
    return delete_some(UsedChallenge.digest, UsedChallenge.expires_at < before, most)
