"""The statements about API keys, and the writes that only one of several requests can win."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all
from userapi.core.prepared import CommittingWrite, Read
from userapi.core.writes import count_rows, delete_some, hit_keys
from userapi.users.group_queries import GROUP_REQUIRES_SECOND_STEP, HELD_BY_USER
from userapi.users.queries import document_columns, profiles, users

from .api_key_models import ApiKey
from .models import Session

keys: Any = ApiKey.__table__

#: When a key is valid, joined with its user. The parameter is the current time.
NOT_ENDED = (keys.c.revoked_at.is_(None), keys.c.expires_at > sa.bindparam("now"))
VALID = (*NOT_ENDED, users.c.is_active)

with_users = keys.join(users, users.c.id == keys.c.user_id)

HOLDER = Read(
    sa.select(
        *document_columns(),
        users.c.password_hash.is_not(None).label("has_password"),
        keys.c.id.label("key_id"),
        keys.c.scopes,
        keys.c.addresses,
        keys.c.amr,
        sa.false().label("for_set_up"),
        keys.c.expires_at,
        keys.c.last_used_at,
        keys.c.last_address,
        keys.c.known_addresses,
        keys.c.name.label("key_name"),
        keys.c.last4,
        GROUP_REQUIRES_SECOND_STEP,
    )
    .select_from(with_users.outerjoin(profiles, profiles.c.user_id == users.c.id))
    .where(keys.c.digest == sa.bindparam("digest"), *VALID)
)
HOLDER_AND_PERMISSIONS = Read(HOLDER.statement.add_columns(HELD_BY_USER.label("held_permissions")))


def read_holder(digest: str, now: datetime, *, with_permissions: bool) -> Any:
    """A valid key with the account and profile of its owner, in one statement; None without one.

    Args:
        digest: of the key.
        now: the current time.
        with_permissions: whether to read the owner's permissions too, as `held_permissions`.
    """
    read = HOLDER_AND_PERMISSIONS if with_permissions else HOLDER
    return read.one(digest=digest, now=now)


STORE_USE = CommittingWrite(
    sa.update(keys)
    .where(
        keys.c.id == sa.bindparam("key_id"),
        sa.or_(
            keys.c.last_used_at.is_(None), keys.c.last_used_at < sa.bindparam("before", type_=keys.c.created_at.type)
        ),
    )
    .values(last_used_at=sa.bindparam("now"), last_address=sa.bindparam("address"))
    .returning(keys.c.id)
)


def store_use(key_id: uuid.UUID, now: datetime, address: str | None, before: datetime) -> bool:
    """Store when and from where a key was used, unless a use since `before` is stored; whether it was.

    It commits by itself, so only one of several requests stores it.
    """
    return STORE_USE.one(key_id=key_id, now=now, address=address, before=before) is not None


#: What owners see of a key.
SHOWN = (
    keys.c.id,
    keys.c.name,
    keys.c.last4,
    keys.c.scopes,
    keys.c.addresses,
    keys.c.created_at,
    keys.c.expires_at,
    keys.c.last_used_at,
    keys.c.last_address,
    keys.c.replaced_by,
)


def list_keys(user_id: int, now: datetime) -> Sequence[sa.Row[Any]]:
    """The keys of a user that have not ended, the newest first."""
    statement: Any = sa.select(*SHOWN).where(keys.c.user_id == user_id, *NOT_ENDED)
    return read_all(statement.order_by(keys.c.created_at.desc(), keys.c.id), {"now": now})


def count_keys(user_id: int, now: datetime) -> Any:
    """The keys of a user that have not ended, as this transaction sees it: `all`, and `current`, not replaced ones."""
    current = sa.func.count().filter(keys.c.replaced_by.is_(None))
    statement = sa.select(sa.func.count().label("all"), current.label("current"))
    return db.session.execute(statement.where(keys.c.user_id == user_id, *NOT_ENDED), {"now": now}).one()


def replace(key_id: uuid.UUID, user_id: int, by: uuid.UUID, now: datetime, ends_at: datetime) -> Any:
    """Replace a key of a user by another one, which only one of several requests can.

    Args:
        key_id: the key; it ends at `ends_at`, or when it would have ended anyway.
        user_id: the user.
        by: the key that replaces it.
        now: the current time.
        ends_at: when it is to end.

    Returns:
        The replaced key: name, scopes, addresses, created_at and expires_at, which was not changed yet; None if the
        user has no such key, or it has ended or been replaced.
    """
    there = (keys.c.id == key_id, keys.c.user_id == user_id, keys.c.replaced_by.is_(None), *NOT_ENDED)
    replaced = db.session.execute(
        sa.update(keys)
        .where(*there)
        .values(replaced_by=by)
        .returning(keys.c.name, keys.c.scopes, keys.c.addresses, keys.c.created_at, keys.c.expires_at),
        {"now": now},
    ).one_or_none()
    if replaced is not None and ends_at < replaced.expires_at:
        db.session.execute(sa.update(keys).where(keys.c.id == key_id).values(expires_at=ends_at))
        active = (Session.key_id == key_id, Session.ended_at.is_(None), Session.expires_at > ends_at)
        count_rows(sa.update(Session).where(*active).values(expires_at=ends_at))
    return replaced


def list_holders(now: datetime) -> list[int]:
    """The users who have a key that has not ended, in the order of their ids."""
    holders: Any = sa.select(keys.c.user_id).where(*NOT_ENDED).distinct().order_by(keys.c.user_id)
    return [row.user_id for row in read_all(holders, {"now": now})]


def revoke(key_ids: Sequence[uuid.UUID] | None, user_id: int, now: datetime) -> list[Any]:
    """Revoke keys of a user, or all of them; id, name and last4 of each that had not ended."""
    condition = [keys.c.user_id == user_id, *NOT_ENDED]
    if key_ids is not None:
        condition.append(keys.c.id.in_(key_ids))
    revoked = db.session.execute(
        sa.update(keys).where(*condition).values(revoked_at=now).returning(keys.c.id, keys.c.name, keys.c.last4),
        {"now": now},
    ).all()
    return list(revoked)


def end_sessions(key_ids: Sequence[uuid.UUID], now: datetime) -> Sequence[uuid.UUID]:
    """End the sessions that keys were exchanged for; those that ended."""
    if not key_ids:
        return []
    active = (Session.key_id.in_(key_ids), Session.ended_at.is_(None))
    return hit_keys(sa.update(Session).where(*active).values(ended_at=now), Session.id)


def lock_for_exchange(key_id: uuid.UUID, now: datetime, address: str | None) -> Any:
    """Store the use of a valid key, which locks it until the transaction ends.

    Returns:
        The session version of its user, and when the key expires, which a rotation may just have changed; None if it
        has ended, or the user is not active.
    """
    owner = sa.select(users.c.session_version).where(users.c.id == keys.c.user_id, users.c.is_active).correlate(keys)
    return db.session.execute(
        sa.update(keys)
        .where(keys.c.id == key_id, owner.exists(), *NOT_ENDED)
        .values(last_used_at=now, last_address=address)
        .returning(owner.scalar_subquery().label("session_version"), keys.c.expires_at),
        {"now": now},
    ).one_or_none()


def find_session(key_id: uuid.UUID, version: int, now: datetime, idle_since: datetime) -> Session | None:
    """The newest active session that a key was exchanged for, as this transaction sees it.

    Args:
        key_id: the key.
        version: the session version of its user.
        now: the current time.
        idle_since: sessions not used since then have expired.
    """
    active = (Session.ended_at.is_(None), Session.expires_at > now, Session.last_used_at > idle_since)
    found = sa.select(Session).where(Session.key_id == key_id, Session.session_version == version, *active)
    return db.session.scalar(found.order_by(Session.created_at.desc()).limit(1))


def delete_ended_keys(before: datetime, most: int) -> int:
    """Delete keys that ended before a time, at most `most` of them; the number deleted."""
    return delete_some(ApiKey.id, sa.or_(ApiKey.expires_at < before, ApiKey.revoked_at < before), most)
