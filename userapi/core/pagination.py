"""Keyset pages: a page starts where the last one ended, so page 18,000 costs what page 1 does.

A cursor is opaque to clients: the order, the direction, and the last row's values in it.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode

import orjson
import sqlalchemy as sa
from flask import current_app, request

from .problems import ValidationFailed

Direction = Literal["next", "previous"]


@dataclass(frozen=True)
class Cursor:
    """Where a page starts.

    Attributes:
        ordering: the order it was made for, as `-email`.
        direction: whether the page lies after the row or before it.
        value: the row's value in the order; None where the column is null.
        row_id: the row's id, which decides between equal values.
    """

    ordering: str
    direction: Direction
    value: str | int | None
    row_id: int

    def encode(self) -> str:
        """The text for a URL."""
        packed = orjson.dumps([self.ordering, self.direction, self.value, self.row_id])
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


@dataclass(frozen=True)
class Page:
    """Rows, and where the neighbouring pages start."""

    rows: Sequence[sa.Row[Any]]
    next: Cursor | None
    previous: Cursor | None


def decode(text: str, ordering: str) -> Cursor:
    """Read a cursor back.

    Raises:
        ValidationFailed: when it is not one of ours or was made for another order.
    """
    refusal = ValidationFailed(errors={"cursor": ["Not a cursor of this list; start again without it."]})
    try:
        padded = text + "=" * (-len(text) % 4)
        made_for, direction, value, row_id = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise refusal from error
    known = made_for == ordering and direction in ("next", "previous")
    if not known or not isinstance(row_id, int) or isinstance(row_id, bool) or not -(2**63) <= row_id < 2**63:
        raise refusal
    if isinstance(value, bool) or not isinstance(value, str | int | type(None)):
        raise refusal
    if isinstance(value, str) and ("\x00" in value or len(value) > 1000):
        raise refusal
    return Cursor(made_for, direction, value, row_id)


def moment(cursor: Cursor) -> datetime | None:
    """A cursor's value as the moment it stands for.

    Raises:
        ValidationFailed: when it is no moment.
    """
    if cursor.value is None:
        return None
    try:
        value = datetime.fromisoformat(str(cursor.value))
        if value.tzinfo is None:
            raise ValueError("no zone")
    except ValueError as error:
        raise ValidationFailed(errors={"cursor": ["Not a cursor of this list; start again without it."]}) from error
    return value


def after(column: Any, row_id: Any, descending: bool, value: Any, last_id: int, *, nullable: bool) -> Any:
    """The condition that a row comes after another in an order that puts nulls last."""
    if value is None:
        return sa.and_(column.is_(None), row_id < last_id if descending else row_id > last_id)
    beyond = column < value if descending else column > value
    tied = sa.and_(column == value, row_id < last_id if descending else row_id > last_id)
    return sa.or_(beyond, tied, column.is_(None)) if nullable else sa.or_(beyond, tied)


def before(column: Any, row_id: Any, descending: bool, value: Any, last_id: int, *, nullable: bool) -> Any:
    """The condition that a row comes before another in an order that puts nulls last."""
    earlier_id = row_id > last_id if descending else row_id < last_id
    if value is None:
        return sa.or_(column.is_not(None), sa.and_(column.is_(None), earlier_id))
    return sa.or_(column > value if descending else column < value, sa.and_(column == value, earlier_id))


def links(page: Page) -> dict[str, str | None]:
    """The URLs of the neighbouring pages, with the query of this one."""
    return {"next": _url(page.next), "previous": _url(page.previous)}


def link_header(urls: dict[str, str | None]) -> str:
    """The same as a `Link` header (RFC 8288)."""
    names = {"next": "next", "previous": "prev"}
    return ", ".join(f'<{url}>; rel="{names[name]}"' for name, url in urls.items() if url)


def _url(cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    query = {**request.args.to_dict(), "cursor": cursor.encode()}
    return f"{current_app.config['SITE_URL']}{request.path}?{urlencode(query)}"
