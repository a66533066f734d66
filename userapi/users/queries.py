"""The SELECTs about users, and the writes that only one caller can win."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from userapi.core import clock, writes
from userapi.core.db import db, read_all, read_one
from userapi.core.prepared import Read
from userapi.core.writes import delete_some

from .field_definition import Kind
from .fields import PROFILE, USER_FIELDS
from .models import AccountKind, OneTimeToken, User, UserProfile, is_service
from .problems import EmailTaken

#: Any number that is not used as a lock elsewhere: changes to who is a superuser wait for each other.
SUPERUSER_LOCK = 7_210_001

#: How long the service knows confirmed email addresses that an owner has replaced: they hear if the account is closed.
REPLACED_ADDRESSES_KEPT = timedelta(days=14)

users = User.__table__
profiles = UserProfile.__table__

#: Lists and counts of users have those of people unless service accounts are requested. With an inequality, PostgreSQL
#: expects most users to match even before it has statistics.
IS_PERSON = users.c.kind != AccountKind.SERVICE.value

#: What every way in takes for the account being active: it never is for the account of a program.
IS_ACTIVE_PERSON = sa.and_(users.c.is_active, IS_PERSON).label("is_active")

#: `IS_PERSON` for counts that an index of times and ids answers without reading the rows.
services = users.alias("services")
IS_NO_SERVICE_ID = users.c.id.not_in(
    sa.select(services.c.id).where(services.c.kind == sa.literal_column(f"'{AccountKind.SERVICE.value}'"))
)

#: Of the fields that the API shows, those that a user's row holds.
SHOWN_OF_USERS = tuple(
    field.name for field in USER_FIELDS if field.is_shown and field.kind not in (Kind.URL, Kind.PROFILE)
)
tokens = OneTimeToken.__table__


def document_columns(source: Any = users) -> list[Any]:
    """The columns of a user's JSON document; those of the profile, which come last, are prefixed `profile_`.

    A user without a profile has no `profile_user_id`; `profile_extra` has the values of own fields.

    Args:
        source: the users table, or a subquery of all its columns.
    """
    of_users = [
        source.c[name] if name in source.c else source.c.email_verified_at.is_not(None).label("email_verified")
        for name in SHOWN_OF_USERS
    ]
    return [*of_users, *(profiles.c[name].label(f"profile_{name}") for name in ("user_id", *PROFILE, "extra"))]


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


def row_of_user(user: Any) -> Any:
    """The row of a user's document, made of what this transaction has read and written; nothing is read again.

    Args:
        user: an entity, or `UserValues`.
    """
    values: dict[str, Any] = {}
    for name in ("user_id", *PROFILE, "extra"):
        values[f"profile_{name}"] = getattr(user.profile, name, None)
    return ONE.record(**{name: values[name] if name in values else getattr(user, name) for name in SHOWN})


def lock_user(user_id: int) -> User | None:
    """A user, locked until the transaction ends. The profile is read when it is needed.

    A statement that waits for the lock does not see the profile that the transaction before it has written.
    """
    return db.session.scalar(FOR_UPDATE, {"user_id": user_id})


#: Made once: SQLAlchemy finds the compiled statement immediately.
FOR_UPDATE = (
    sa.select(User)
    .where(User.id == sa.bindparam("user_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def keep_user(user_id: int) -> bool:
    """Whether a user exists, who then is not deleted before the transaction ends; others can still change."""
    statement = sa.select(User.id).where(User.id == user_id).with_for_update(read=True, key_share=True)
    return db.session.scalar(statement) is not None


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


def find_recipient(email_key: str) -> sa.Row[Any] | None:
    """Who gets an email to an address that an account has: id, email, first_name and language."""
    columns = (users.c[name] for name in ("id", "email", "first_name", "language"))
    return db.session.execute(sa.select(*columns).where(users.c.email_key == email_key)).one_or_none()


def find_name(user_id: int) -> sa.Row[Any] | None:
    """What emails call a user: kind, email, first_name and last_name."""
    columns = (users.c[name] for name in ("kind", "email", "first_name", "last_name"))
    return db.session.execute(sa.select(*columns).where(users.c.id == user_id)).one_or_none()


def list_services(user_id: int | None = None) -> Sequence[sa.Row[Any]]:
    """Service accounts by email, all or the one with an id: id, email, is_active, is_staff and date_joined."""
    columns = (users.c[name] for name in ("id", "email", "is_active", "is_staff", "date_joined"))
    statement = sa.select(*columns).where(users.c.kind == AccountKind.SERVICE.value).order_by(users.c.email_key)
    return read_all(statement if user_id is None else statement.where(users.c.id == user_id))


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


def prune_tokens(before: datetime, most: int) -> int:
    """Delete single-use tokens that were over before a moment, a bounded number at a time; how many went.

    Those that name a replaced email address stay for `REPLACED_ADDRESSES_KEPT`, and as long as the account is closed:
    staff can send a link that restores it to such an address.
    """
    kept_since = clock.now() - REPLACED_ADDRESSES_KEPT
    is_closed = OneTimeToken.user_id.in_(sa.select(User.id).where(User.closes_at.is_not(None)))
    is_unneeded = sa.and_(OneTimeToken.created_at < kept_since, sa.not_(is_closed))
    is_over = sa.or_(OneTimeToken.previous_email.is_(None), is_unneeded)
    return delete_some(OneTimeToken.digest, sa.and_(OneTimeToken.expires_at < before, is_over), most)


def lock_superusers() -> None:
    """Let changes to who is a superuser wait for each other."""
    writes.wait_for_turn(SUPERUSER_LOCK)


def has_other_superuser(user_id: int) -> bool:
    """Whether an active superuser besides this one exists."""
    found = db.session.scalar(sa.select(User.id).where(User.is_superuser, User.is_active, User.id != user_id).limit(1))
    return found is not None


def list_recipients(user_id: int | None) -> Sequence[User]:
    """The active superusers, and this user if it is an active person: who gets an email about the service itself."""
    is_recipient = sa.or_(User.is_superuser, User.id == user_id)
    return db.session.scalars(
        sa.select(User).where(User.is_active, sa.not_(is_service), is_recipient).order_by(User.id)
    ).all()


def count_superusers() -> int:
    """How many superusers there are, active or not."""
    return db.session.scalar(sa.select(sa.func.count()).where(User.is_superuser)) or 0
