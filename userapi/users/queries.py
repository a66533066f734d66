"""Every question asked about users, by name."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from userapi.core import pagination
from userapi.core.db import db, read_all, read_one
from userapi.core.pagination import Cursor, Page
from userapi.core.reading import Read

from .models import OneTimeToken, User, UserProfile
from .problems import EmailTaken

#: Sorts after every other character, on both databases.
LAST_CHARACTER = "\U0010ffff"

#: Any number that is not used as a lock elsewhere: changes to who is a superuser wait for each other.
SUPERUSER_LOCK = 7_210_001

users = User.__table__
profiles = UserProfile.__table__


def shown(source: Any = users) -> list[Any]:
    """The columns of a user's document; those of the profile are prefixed `profile_`."""
    c = source.c
    return [
        c.id, c.email, c.username, c.first_name, c.last_name,
        *(column.label(f"profile_{column.name}") for column in profiles.c if column.name != "user_id"),
        c.is_active, c.is_staff, c.is_superuser,
        c.email_verified_at.is_not(None).label("email_verified"),
        c.pending_email, c.date_joined, c.last_login,
    ]  # fmt: skip


#: The names of those columns, in order.
SHOWN = tuple(column.name for column in shown())

ONE = Read(
    sa.select(*shown())
    .select_from(users.outerjoin(profiles, profiles.c.user_id == users.c.id))
    .where(users.c.id == sa.bindparam("user_id"))
)


def row(user_id: int) -> Any:
    """A user's document as a row, outside any transaction; None when there is none."""
    return ONE.one(user_id=user_id)


def row_in_transaction(user_id: int) -> sa.Row[Any]:
    """A user's document as the present transaction sees it."""
    return db.session.execute(ONE.statement, {"user_id": user_id}).one()


def for_update(user_id: int) -> User | None:
    """A user and profile, locked until the transaction ends."""
    return db.session.scalar(
        sa.select(User)
        .where(User.id == user_id)
        .options(joinedload(User.profile))
        .with_for_update(of=User)
        .execution_options(populate_existing=True)
    )


def by_email_key(email_key: str) -> User | None:
    """A user by the normal form of the address, locked until the transaction ends."""
    return db.session.scalar(sa.select(User).where(User.email_key == email_key).with_for_update())


def key_is_taken(email_key: str) -> bool:
    """Whether an account has this address; the insert or update decides in the end."""
    return read_one(sa.select(users.c.id).where(users.c.email_key == email_key)) is not None


def flush() -> None:
    """Write what is pending; the database alone decides who gets an address that two ask for.

    Raises:
        EmailTaken: somebody else did.
    """
    try:
        db.session.flush()
    except IntegrityError as error:
        if "email_key" in str(error.orig):
            raise EmailTaken from error
        raise


def insert_where_free(people: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> int:
    """Insert users with profiles whose addresses are free, in two statements; how many were.

    Args:
        people: the columns of `users` and those of `user_profiles` for each.
    """
    insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    statement = insert(User).on_conflict_do_nothing(index_elements=["email_key"])
    made = db.session.execute(statement.returning(User.email_key, User.id), [columns for columns, _ in people])
    ids = {row.email_key: row.id for row in made}
    rows = [{**profile, "user_id": ids[user["email_key"]]} for user, profile in people if user["email_key"] in ids]
    if rows:
        db.session.execute(sa.insert(UserProfile), rows)
    return len(rows)


def holder(digest: str) -> User | None:
    """The user whose one-time token this is, spent or not, locked until the transaction ends.

    Whoever spends a token locks its user first, as do those who make its user's tokens void: none waits for the other.
    """
    return db.session.scalar(
        sa.select(User)
        .join(OneTimeToken, OneTimeToken.user_id == User.id)
        .where(OneTimeToken.digest == digest)
        .with_for_update(of=User)
        .execution_options(populate_existing=True)
    )


def spend(digest: str, purposes: tuple[str, ...], now: datetime) -> OneTimeToken | None:
    """Spend a one-time token. One UPDATE, so only one caller can win."""
    return db.session.scalar(
        sa.update(OneTimeToken)
        .where(
            OneTimeToken.digest == digest,
            OneTimeToken.purpose.in_(purposes),
            OneTimeToken.used_at.is_(None),
            OneTimeToken.expires_at > now,
        )
        .values(used_at=now)
        .returning(OneTimeToken)
    )


def void_tokens(user_id: int) -> None:
    """Delete every one-time token of a user."""
    db.session.execute(
        sa.delete(OneTimeToken).where(OneTimeToken.user_id == user_id).execution_options(synchronize_session=False)
    )


def prune_tokens(before: datetime, most: int) -> int:
    """Delete one-time tokens that were over before a moment, a bounded number at a time; how many went."""
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


class Order(NamedTuple):
    """A column the list may be ordered by."""

    column: Any
    is_moment: bool = False
    nullable: bool = False


ORDERS = {
    "id": Order(users.c.id),
    "date_joined": Order(users.c.date_joined, is_moment=True),
    "email": Order(users.c.email_key),
    "last_name": Order(users.c.last_name_key),
    "last_login": Order(users.c.last_login, is_moment=True, nullable=True),
}


def page(filters: Mapping[str, Any], ordering: str, limit: int, cursor: Cursor | None) -> Page:
    """A page of the list of users.

    The page is cut on `users` first and joined to the profiles then: joined first, PostgreSQL may merge both tables
    from their first row on, and a page costs the more the deeper it lies.

    Args:
        filters: see `conditions`.
        ordering: a name of `ORDERS`, `-` before it for descending.
        limit: rows on a page.
        cursor: where to start.
    """
    descending = ordering.startswith("-")
    order = ORDERS[ordering.removeprefix("-")]
    backwards = cursor is not None and cursor.direction == "previous"
    cut = sa.select(users).where(*conditions(filters))
    if cursor is not None:
        value = pagination.moment(cursor) if order.is_moment else cursor.value
        compare = pagination.before if backwards else pagination.after
        cut = cut.where(compare(order.column, users.c.id, descending, value, cursor.row_id, nullable=order.nullable))
    one_more = sa.literal_column(str(limit + 1), sa.Integer)
    cut = cut.order_by(*_by(order, users.c.id, order.column, descending, backwards)).limit(one_more)
    found = read_all(_with_profiles(cut.subquery("page"), order, descending, backwards))
    return _paged(found, ordering, limit, cursor, backwards)


def _with_profiles(cut: Any, order: Order, descending: bool, backwards: bool) -> sa.Select[Any]:
    key = cut.c[order.column.name]
    return (
        sa.select(*shown(cut), key.label("order_value"))
        .select_from(cut.outerjoin(profiles, profiles.c.user_id == cut.c.id))
        .order_by(*_by(order, cut.c.id, key, descending, backwards))
    )


def _by(order: Order, row_id: Any, column: Any, descending: bool, backwards: bool) -> list[Any]:
    down = descending != backwards
    if order.column is users.c.id:
        return [row_id.desc() if down else row_id]
    key = column.desc() if down else column.asc()
    if order.nullable:
        key = sa.nulls_first(key) if backwards else sa.nulls_last(key)
    return [key, row_id.desc() if down else row_id.asc()]


def _paged(found: Sequence[sa.Row[Any]], ordering: str, limit: int, cursor: Cursor | None, backwards: bool) -> Page:
    rows = list(found[:limit])
    more = len(found) > limit
    if backwards:
        rows.reverse()
    has_next, has_previous = (True, more) if backwards else (more, cursor is not None)
    return Page(
        rows,
        _cursor(rows[-1], ordering, "next") if rows and has_next else None,
        _cursor(rows[0], ordering, "previous") if rows and has_previous else None,
    )


def _cursor(row: sa.Row[Any], ordering: str, direction: pagination.Direction) -> Cursor:
    value = row.order_value
    return Cursor(ordering, direction, value.isoformat() if isinstance(value, datetime) else value, row.id)


def count(filters: Mapping[str, Any]) -> int:
    """How many users match."""
    found = read_one(sa.select(sa.func.count()).select_from(users).where(*conditions(filters)))
    return int(found[0]) if found else 0


def every(filters: Mapping[str, Any]) -> Iterator[sa.Row[Any]]:
    """All users who match, by id, read a page at a time."""
    cursor = None
    while True:
        found = page(filters, "id", 200, cursor)
        yield from found.rows
        if found.next is None:
            return
        cursor = found.next


def conditions(filters: Mapping[str, Any]) -> list[Any]:
    """What the filters ask.

    Args:
        filters: any of `search` (words, each the beginning of the email, first or last name), `is_active`, `is_staff`,
            `country`, `joined_after` (inclusive) and `joined_before` (exclusive).
    """
    asked = [_begins(word) for word in filters.get("search", "").casefold().split()]
    asked += [users.c[name].is_(filters[name]) for name in ("is_active", "is_staff") if name in filters]
    if "country" in filters:
        of_country = sa.select(profiles.c.user_id).where(profiles.c.country == filters["country"])
        asked.append(users.c.id.in_(of_country))
    if "joined_after" in filters:
        asked.append(users.c.date_joined >= filters["joined_after"])
    if "joined_before" in filters:
        asked.append(users.c.date_joined < filters["joined_before"])
    return asked


def _begins(word: str) -> Any:
    columns = (users.c.email_key, users.c.first_name_key, users.c.last_name_key)
    return sa.or_(*(sa.and_(column >= word, column < word + LAST_CHARACTER) for column in columns))
