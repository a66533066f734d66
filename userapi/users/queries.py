"""The SELECTs about users, and the writes that only one caller can win."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from userapi.core.db import db, read_all, read_one
from userapi.core.prepared import Read

from .fields import PROFILE, USER_FIELDS, Kind
from .models import OneTimeToken, User, UserProfile
from .problems import EmailTaken

#: Any number that is not used as a lock elsewhere: changes to who is a superuser wait for each other.
SUPERUSER_LOCK = 7_210_001

users = User.__table__
profiles = UserProfile.__table__

#: Of the fields that the API shows, those that a user's row holds.
SHOWN_OF_USERS = tuple(
    field.name for field in USER_FIELDS if field.is_shown and field.kind not in (Kind.URL, Kind.PROFILE)
)
tokens = OneTimeToken.__table__


def document_columns(source: Any = users) -> list[Any]:
    """The columns of a user's JSON document; those of the profile, which come last, are prefixed `profile_`.

    Args:
        source: the users table, or a subquery of all its columns.
    """
    of_users = [
        source.c[name] if name in source.c else source.c.email_verified_at.is_not(None).label("email_verified")
        for name in SHOWN_OF_USERS
    ]
    return [*of_users, *(profiles.c[name].label(f"profile_{name}") for name in PROFILE)]


#: The names of those columns, in order.
SHOWN = tuple(column.name for column in document_columns())

ONE = Read(
    sa.select(*document_columns())
    .select_from(users.outerjoin(profiles, profiles.c.user_id == users.c.id))
    .where(users.c.id == sa.bindparam("user_id"))
)


def find_row(user_id: int) -> Any:
    """The row of a user's document, read outside any transaction; None if there is no such user."""
    return ONE.one(user_id=user_id)


def row_in_transaction(user_id: int) -> sa.Row[Any]:
    """The row of a user's document, as the present transaction sees it."""
    return db.session.execute(ONE.statement, {"user_id": user_id}).one()


def row_of_user(user: User) -> Any:
    """The row of a user's document, made of what this transaction has read and written; nothing is read again."""
    values: dict[str, Any] = {"email_verified": user.email_verified_at is not None}
    for name in PROFILE:
        values[f"profile_{name}"] = getattr(user.profile, name, None)
    return ONE.record(**{name: values[name] if name in values else getattr(user, name) for name in SHOWN})


def lock_user(user_id: int) -> User | None:
    """A user and profile, locked until the transaction ends."""
    return db.session.scalar(FOR_UPDATE, {"user_id": user_id})


#: Made once: SQLAlchemy finds the compiled statement immediately.
FOR_UPDATE = (
    sa.select(User)
    .where(User.id == sa.bindparam("user_id"))
    .options(joinedload(User.profile))
    .with_for_update(of=User)
    .execution_options(populate_existing=True)
)


def lock_user_by_email_key(email_key: str) -> User | None:
    """Lock a user, found by the normal form of the email, until the transaction ends."""
    return db.session.scalar(sa.select(User).where(User.email_key == email_key).with_for_update())


def is_email_taken(email_key: str) -> bool:
    """Whether an account has this email; the insert or update decides in the end."""
    return read_one(sa.select(users.c.id).where(users.c.email_key == email_key)) is not None


def find_id(email_key: str) -> int | None:
    """The id of the account with this email."""
    found = read_one(sa.select(users.c.id).where(users.c.email_key == email_key))
    return found.id if found else None


def find_emails(user_ids: Collection[int]) -> dict[int, str]:
    """The emails of existing users, by id."""
    found = read_all(sa.select(users.c.id, users.c.email).where(users.c.id.in_(user_ids)).order_by(users.c.id))
    return {row.id: row.email for row in found}


def count_longer_zips(maximum: int) -> int:
    """How many profiles have a postal code of more characters."""
    longer = sa.select(sa.func.count()).select_from(profiles).where(sa.func.length(profiles.c.zip) > maximum)
    found = read_one(longer)
    return int(found[0]) if found else 0


def flush() -> None:
    """Write what is pending; the database alone decides who gets an email that two requests want.

    Raises:
        EmailTaken: another account has the email.
    """
    try:
        db.session.flush()
    except IntegrityError as error:
        if "email_key" in str(error.orig):
            raise EmailTaken from error
        raise


def lock_user_of_token(digest: str) -> User | None:
    """The user whose single-use token this is, used or not, locked until the transaction ends.

    Using a token and deleting a user's tokens both lock the user first, so that neither waits for the other.
    """
    return db.session.scalar(
        sa.select(User)
        .join(OneTimeToken, OneTimeToken.user_id == User.id)
        .where(OneTimeToken.digest == digest)
        .with_for_update(of=User)
        .execution_options(populate_existing=True)
    )


def use_token(digest: str, purposes: tuple[str, ...], now: datetime) -> OneTimeToken | None:
    """Use a single-use token. One UPDATE, so only one caller can win."""
    return db.session.scalar(
        sa.update(OneTimeToken).where(*_usable(digest, purposes, now)).values(used_at=now).returning(OneTimeToken)
    )


def find_valid_token(digest: str, purposes: tuple[str, ...], now: datetime) -> tuple[OneTimeToken, User] | None:
    """A single-use token that is neither used nor expired, and its user; nothing is locked."""
    found = db.session.execute(
        sa.select(OneTimeToken, User).join(User, OneTimeToken.user_id == User.id).where(*_usable(digest, purposes, now))
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def _usable(digest: str, purposes: tuple[str, ...], now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        OneTimeToken.digest == digest,
        OneTimeToken.purpose.in_(purposes),
        OneTimeToken.used_at.is_(None),
        OneTimeToken.expires_at > now,
    )


def delete_tokens(
    user_id: int, purpose: str | None = None, *, spare: str | None = None, since: datetime | None = None
) -> None:
    """Delete a user's single-use tokens.

    Args:
        user_id: whose.
        purpose: only those of it; of every purpose when None.
        spare: none of this purpose.
        since: only those made from this moment on.
    """
    statement = sa.delete(OneTimeToken).where(OneTimeToken.user_id == user_id)
    if purpose is not None:
        statement = statement.where(OneTimeToken.purpose == purpose)
    if spare is not None:
        statement = statement.where(OneTimeToken.purpose != spare)
    if since is not None:
        statement = statement.where(OneTimeToken.created_at >= since)
    db.session.execute(statement.execution_options(synchronize_session=False))


def is_reserved(email_key: str, purpose: str, user_id: int, now: datetime) -> bool:
    """Whether another user holds a usable link of this purpose to an email, as this transaction sees it."""
    found = db.session.scalar(
        sa.select(OneTimeToken.user_id)
        .where(
            OneTimeToken.address_key == email_key,
            OneTimeToken.purpose == purpose,
            OneTimeToken.user_id != user_id,
            OneTimeToken.used_at.is_(None),
            OneTimeToken.expires_at > now,
        )
        .limit(1)
    )
    return found is not None


def find_newest_token(user_id: int, purpose: str) -> sa.Row[Any] | None:
    """When the newest unused token of a purpose was issued (`created_at`) and expires (`expires_at`)."""
    return read_one(
        sa.select(tokens.c.created_at, tokens.c.expires_at)
        .where(tokens.c.user_id == user_id, tokens.c.purpose == purpose, tokens.c.used_at.is_(None))
        .order_by(tokens.c.created_at.desc())
        .limit(1)
    )


def prune_tokens(before: datetime, most: int) -> int:
    """Delete single-use tokens that were over before a moment, a bounded number at a time; how many went."""
    over = sa.select(OneTimeToken.digest).where(OneTimeToken.expires_at < before).limit(most)
    result = db.session.execute(sa.delete(OneTimeToken).where(OneTimeToken.digest.in_(over)))
    return cast("sa.CursorResult[Any]", result).rowcount


def lock_superusers() -> None:
    """Let changes to who is a superuser wait for each other; on SQLite every writer waits anyway."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(SUPERUSER_LOCK)))


def has_other_superuser(user_id: int) -> bool:
    """Whether an active superuser besides this one exists."""
    found = db.session.scalar(sa.select(User.id).where(User.is_superuser, User.is_active, User.id != user_id).limit(1))
    return found is not None


def count_superusers() -> int:
    """How many superusers there are, active or not."""
    return db.session.scalar(sa.select(sa.func.count()).where(User.is_superuser)) or 0
