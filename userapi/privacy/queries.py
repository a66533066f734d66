"""The statements about closed accounts; only one request or worker wins each."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import UTCDateTime, db, read_all, read_one
from userapi.users import email_links
from userapi.users.models import OneTimeToken, User
from userapi.users.queries import users

from .models import AccountRestore

#: An account is closed only while it is inactive: an older version of the service activates it without more.
IS_CLOSED = (users.c.closes_at.is_not(None), users.c.is_active.is_(False))

_PLACE = sa.tuple_(users.c.closes_at, users.c.id)
_LISTED = sa.select(users.c.id, users.c.email, users.c.closes_at, users.c.held_reason)


def list_replaced_addresses(user_id: int, since: datetime) -> Sequence[str]:
    """The confirmed email addresses that an owner has replaced since a time, as typed; each once, in their order."""
    statement = (
        sa.select(sa.func.max(OneTimeToken.previous_email))
        .where(*_is_replaced_address(user_id, since))
        .group_by(OneTimeToken.address_key)
        .order_by(sa.func.min(OneTimeToken.created_at))
    )
    return [str(email) for email in db.session.scalars(statement)]


def find_replacement(user_id: int, address_key: str) -> datetime | None:
    """When an owner first replaced an email address that the account can get back; None if it cannot."""
    statement = sa.select(sa.func.min(OneTimeToken.created_at)).where(
        *_is_replaced_address(user_id), OneTimeToken.address_key == address_key
    )
    return db.session.scalar(statement)


def reserve_replaced_addresses(user_id: int, since: datetime, until: datetime) -> None:
    """Let no other account take these addresses until a time, and the links that undo the changes work until then."""
    _set_end(until, *_is_replaced_address(user_id, since), OneTimeToken.expires_at < until)


def reserve_replaced_address(user_id: int, address_key: str, until: datetime) -> None:
    """The same for one address that an owner has replaced."""
    is_address = OneTimeToken.address_key == address_key
    _set_end(until, *_is_replaced_address(user_id), is_address, OneTimeToken.expires_at < until)


def release_replaced_address(user_id: int, address_key: str, now: datetime) -> None:
    """Let the links expire now that would give an account an address back which its owner has replaced."""
    is_address = OneTimeToken.address_key == address_key
    _set_end(now, *_is_replaced_address(user_id), is_address, OneTimeToken.expires_at > now)


def _set_end(moment: datetime, *conditions: sa.ColumnElement[bool]) -> None:
    statement = sa.update(OneTimeToken).where(*conditions).values(expires_at=moment)
    db.session.execute(statement.execution_options(synchronize_session=False))


def _is_replaced_address(user_id: int, since: datetime | None = None) -> list[sa.ColumnElement[bool]]:
    conditions = [
        OneTimeToken.user_id == user_id,
        OneTimeToken.purpose == email_links.UNDO_EMAIL_CHANGE,
        OneTimeToken.used_at.is_(None),
    ]
    return conditions if since is None else [*conditions, OneTimeToken.created_at >= since]


def delete_restores(user_id: int) -> None:
    """Delete the links that would restore an account."""
    statement = sa.delete(AccountRestore).where(AccountRestore.user_id == user_id)
    db.session.execute(statement.execution_options(synchronize_session=False))


def list_restores(user_id: int) -> Sequence[Any]:
    """The links to an account, used or not: rows of `id`, `email` and `expires_at`, the first one first."""
    columns = (AccountRestore.id, AccountRestore.email, AccountRestore.expires_at)
    return db.session.execute(sa.select(*columns).where(AccountRestore.user_id == user_id).order_by(columns[0])).all()


def end_restores(ids: Collection[int], now: datetime) -> None:
    """Let links to a locked account expire now."""
    statement = sa.update(AccountRestore).where(AccountRestore.id.in_(ids), AccountRestore.expires_at > now)
    db.session.execute(statement.values(expires_at=now).execution_options(synchronize_session=False))


def lock_closed_account(email_key: str, now: datetime) -> User | None:
    """Lock the closed account that has an email address, or that can get it back; None if there is none.

    Args:
        email_key: the normal form of the address.
        now: the current time.
    """
    former = sa.select(OneTimeToken.user_id).where(
        OneTimeToken.address_key == email_key,
        OneTimeToken.purpose == email_links.UNDO_EMAIL_CHANGE,
        OneTimeToken.used_at.is_(None),
        OneTimeToken.expires_at > now,
    )
    closed = sa.select(User).where(*IS_CLOSED, User.closes_at > now).with_for_update()
    user = db.session.scalar(closed.where(User.email_key == email_key))
    return user or db.session.scalar(closed.where(User.id.in_(former)).limit(1))


def reopen(digest: str, now: datetime) -> int | None:
    """Restore the account of an unused link, before it is deleted; its id, or None. One UPDATE: only one caller wins.

    The row of the account is written before that of the link, as in the deletion of an account.
    """
    account = (
        sa.select(AccountRestore.user_id)
        .where(AccountRestore.digest == digest, AccountRestore.used_at.is_(None), AccountRestore.expires_at > now)
        .scalar_subquery()
    )
    statement = (
        sa.update(User)
        .where(User.id == account, User.closes_at > now, User.is_active.is_(False))
        .values(closes_at=None, is_active=True)
        .returning(User.id)
        .execution_options(synchronize_session=False)
    )
    return db.session.scalar(statement)


def use_restore(digest: str, now: datetime) -> AccountRestore | None:
    """Mark a link as used, after `reopen`, and delete the other links to the account.

    None if the link was withdrawn while `reopen` waited for the account; the caller does not commit then.
    """
    used: AccountRestore | None = db.session.scalar(
        sa.update(AccountRestore)
        .where(AccountRestore.digest == digest, AccountRestore.used_at.is_(None), AccountRestore.expires_at > now)
        .values(used_at=now)
        .returning(AccountRestore)
    )
    if used is None:
        return None
    others = sa.delete(AccountRestore).where(AccountRestore.user_id == used.user_id, AccountRestore.id != used.id)
    db.session.execute(others.execution_options(synchronize_session=False))
    return used


def list_closed(after: datetime | None, last_id: int | None, most: int) -> Sequence[sa.Row[Any]]:
    """Accounts that their owners have closed, those first that are deleted first, read outside any transaction.

    Args:
        after, last_id: `closes_at` and id of the last row of the page before this one; None for the first page.
        most: the maximum number.

    Returns:
        Rows of `id`, `email`, `closes_at` and `held_reason`.
    """
    statement = _LISTED.where(*IS_CLOSED)
    if after is not None:
        statement = statement.where(sa.tuple_(sa.literal(after, UTCDateTime), sa.literal(last_id)) < _PLACE)
    return read_all(statement.order_by(users.c.closes_at, users.c.id).limit(most))


def list_held(last_id: int, most: int) -> Sequence[sa.Row[Any]]:
    """The same of accounts under a legal hold with an id after another, by id."""
    statement = _LISTED.where(users.c.held_reason.is_not(None), users.c.id > last_id)
    return read_all(statement.order_by(users.c.id).limit(most))


def find_closed(ids: Collection[int]) -> set[int]:
    """Those of some accounts that are closed, read outside any transaction."""
    return {row.id for row in read_all(sa.select(users.c.id).where(users.c.id.in_(ids), *IS_CLOSED))}


def list_due(now: datetime, after: sa.Row[Any] | None, most: int) -> Sequence[sa.Row[Any]]:
    """Closed accounts whose time has come, read outside any transaction.

    Args:
        now: the current time.
        after: the last row of the batch before this one; None for the first batch.
        most: the maximum number.

    Returns:
        Rows of `closes_at` and `id`, in this order.
    """
    statement = sa.select(users.c.closes_at, users.c.id).where(*IS_CLOSED, users.c.closes_at <= now)
    if after is not None:
        statement = statement.where(sa.tuple_(sa.literal(after.closes_at, UTCDateTime), sa.literal(after.id)) < _PLACE)
    return read_all(statement.order_by(users.c.closes_at, users.c.id).limit(most))


def count_overdue(before: datetime) -> tuple[int, int]:
    """The number of closed accounts whose time had come before a moment: those under a legal hold, and the others."""
    number = sa.func.count
    counts: list[Any] = [number(users.c.held_reason).label("held"), number().label("all")]
    found = read_one(sa.select(*counts).select_from(users).where(*IS_CLOSED, users.c.closes_at < before))
    assert found is not None  # noqa: S101 - an aggregate always returns a row
    return found.held, found.all - found.held


def lock_due(user_id: int, now: datetime) -> User | None:
    """Lock a closed account whose time has come; None if another worker has it, or it was restored or deleted."""
    return db.session.scalar(
        sa.select(User)
        .where(User.id == user_id, *IS_CLOSED, User.closes_at <= now)
        .with_for_update(of=User, skip_locked=True)
        .execution_options(populate_existing=True)
    )


def find_valid_restore(digest: str, now: datetime) -> str | None:
    """The email address that an unused link to a closed account was sent to, read outside any transaction."""
    found = read_one(
        sa.select(AccountRestore.email)
        .join(User, User.id == AccountRestore.user_id)
        .where(AccountRestore.digest == digest, AccountRestore.used_at.is_(None), AccountRestore.expires_at > now)
        .where(User.closes_at > now, User.is_active.is_(False))
    )
    return None if found is None else str(found.email)
