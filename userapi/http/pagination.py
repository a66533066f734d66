"""Keyset pagination: a page starts where the last one ended, so page 18,000 costs the same as page 1.

A cursor is opaque to clients. It contains the order, the direction, and the values of the last row.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

import orjson
import sqlalchemy as sa
from flask import current_app, request
from flask_babel import gettext as _

from userapi.core.problems import ValidationFailed

Direction = Literal["next", "previous"]


@dataclass(frozen=True)
class Cursor:
    """Where a page starts.

    Attributes:
        ordering: the order for which it was created, such as `-email`.
        direction: whether the page is after the row or before it.
        value: the row's value in the order; None where the column is null.
        row_id: the row's id, which decides between equal values.
    """

    ordering: str
    direction: Direction
    value: str | int | None
    row_id: int

    def encode(self) -> str:
        """The cursor as a text for URLs."""
        packed = orjson.dumps([self.ordering, self.direction, self.value, self.row_id])
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


@dataclass(frozen=True)
class Page:
    """Rows with the cursors of the neighbouring pages."""

    rows: Sequence[sa.Row[Any]]
    next: Cursor | None
    previous: Cursor | None


def decode_cursor(text: str, ordering: str) -> Cursor:
    """Decode a cursor.

    Raises:
        ValidationFailed: the cursor is not valid, or belongs to another order.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        made_for, direction, value, row_id = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise _invalid_cursor() from error
    known = made_for == ordering and direction in ("next", "previous")
    if not known or not isinstance(row_id, int) or isinstance(row_id, bool) or not -(2**63) <= row_id < 2**63:
        raise _invalid_cursor()
    if isinstance(value, bool) or not isinstance(value, str | int | type(None)):
        raise _invalid_cursor()
    if isinstance(value, str) and ("\x00" in value or len(value) > 1000):
        raise _invalid_cursor()
    return Cursor(made_for, direction, value, row_id)


def convert_cursor_value(cursor: Cursor, kind: type, *, nullable: bool) -> Any:
    """The value of a cursor as the type of the ordered column.

    Args:
        cursor: the decoded cursor.
        kind: the type of the column: `int`, `str` or `datetime`, which a cursor stores as text.
        nullable: whether the column has nulls.

    Raises:
        ValidationFailed: the value has another type, as only in a forged cursor.
    """
    if cursor.value is None and nullable:
        return None
    if not isinstance(cursor.value, str if kind is datetime else kind):
        raise _invalid_cursor()
    return _moment(str(cursor.value)) if kind is datetime else cursor.value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise _invalid_cursor()
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _invalid_cursor() from error


def _invalid_cursor() -> ValidationFailed:
    return ValidationFailed(errors={"cursor": [_("Not a valid cursor for this list. Start again without a cursor.")]})


def after_condition(column: Any, row_id: Any, descending: bool, *, is_null: bool, nullable: bool) -> Any:
    """The condition that a row comes after another in an order that puts nulls last.

    Args:
        column: the ordered column; `row_id` to order by id only.
        row_id: decides between equal values.
        descending: whether the order is.
        is_null: whether the other row's value is null; its value and id are the parameters `after_value`, `after_id`.
        nullable: whether the column has nulls.
    """
    last_id = sa.bindparam("after_id", type_=row_id.type)
    later_id = row_id < last_id if descending else row_id > last_id
    if is_null:
        return sa.and_(column.is_(None), later_id)
    later = later_id if column is row_id else _row_comparison(column, row_id, smaller=descending)
    return sa.or_(later, column.is_(None)) if nullable else later


def before_condition(column: Any, row_id: Any, descending: bool, *, is_null: bool, nullable: bool) -> Any:
    """The condition that a row comes before another; see `after`."""
    last_id = sa.bindparam("after_id", type_=row_id.type)
    earlier_id = row_id > last_id if descending else row_id < last_id
    if is_null:
        return sa.or_(column.is_not(None), sa.and_(column.is_(None), earlier_id))
    return earlier_id if column is row_id else _row_comparison(column, row_id, smaller=not descending)


def _row_comparison(column: Any, row_id: Any, *, smaller: bool) -> Any:
    """Compare (value, id) as one row value, so that an index on both can be used."""
    here = sa.tuple_(column, row_id)
    there = sa.tuple_(sa.bindparam("after_value", type_=column.type), sa.bindparam("after_id", type_=row_id.type))
    return here < there if smaller else here > there


def build_page_links(page: Page) -> dict[str, str | None]:
    """The URLs of the neighbouring pages, with the query of this one."""
    return {"next": build_page_url(page.next), "previous": build_page_url(page.previous)}


def build_link_header(urls: dict[str, str | None]) -> dict[str, str]:
    """The URLs as a `Link` header (RFC 8288), if there are any."""
    names = {"next": "next", "previous": "prev"}
    value = ", ".join(f'<{url}>; rel="{names[name]}"' for name, url in urls.items() if url)
    return {"Link": value} if value else {}


def build_page_url(cursor: Cursor | None) -> str | None:
    """The URL of the page that starts at a cursor, with the query of this one."""
    if cursor is None:
        return None
    query = {**request.args.to_dict(), "cursor": cursor.encode()}
    return f"{current_app.config['SITE_URL']}{request.path}?{urlencode(query)}"
