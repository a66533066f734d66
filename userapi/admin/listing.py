"""What the list of users is asked for: read from the address, leniently, since people edit addresses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from userapi.auth.tokens import parse_id
from userapi.core import pagination
from userapi.core.pagination import Cursor
from userapi.core.problems import ValidationFailed
from userapi.users import list_queries

YES_OR_NO = {"true": True, "false": False}
FLAGS = ("is_active", "is_staff", "is_superuser", "email_verified")
DAYS = ("joined_from", "joined_to")
TEXTS = ("search", "country")

#: Longer texts match nothing.
LONGEST = 254

DEFAULT_ORDER = "-date_joined"


@dataclass(frozen=True)
class Listing:
    """A list that was asked for.

    Attributes:
        asked: what was understood of the question, as texts, to fill the form with and to make addresses of.
        filters: the same as the query takes it.
        ordering: a name of `list_queries.ORDERS`, `-` before it for descending.
        cursor: where the page starts.
    """

    asked: Mapping[str, str]
    filters: Mapping[str, Any]
    ordering: str
    cursor: Cursor | None

    @property
    def query(self) -> str:
        """The query string that asks for the same list, from its first page."""
        order = {} if self.ordering == DEFAULT_ORDER else {"ordering": self.ordering}
        return urlencode({**self.asked, **order})

    def at(self, cursor: Cursor | None) -> str:
        """The query string for another page of the list."""
        return urlencode({**self.asked, "ordering": self.ordering, **({"cursor": cursor.encode()} if cursor else {})})

    def ordered_by(self, name: str) -> str:
        """The query string for another order: the other way round when it is this one's name."""
        ordering = f"-{name}" if self.ordering == name else name
        return urlencode({**self.asked, "ordering": ordering})


def read(arguments: Mapping[str, str]) -> Listing:
    """Understand what can be understood; the rest is as if it had not been asked."""
    asked: dict[str, str] = {}
    filters: dict[str, Any] = {}
    for name in (*TEXTS, *FLAGS, *DAYS, "group"):
        text = arguments.get(name, "").strip()[:LONGEST]
        value = _value(name, text) if text.isprintable() else None
        if value is not None:
            asked[name] = text
            filters[name] = value
    if "search" in filters:
        filters["staff_search"] = filters.pop("search")
    if "joined_from" in filters:
        filters["joined_after"] = filters.pop("joined_from")
    if "joined_to" in filters:
        filters["joined_before"] = filters.pop("joined_to") + timedelta(days=1)
    ordering = arguments.get("ordering", DEFAULT_ORDER)
    if ordering.removeprefix("-") not in list_queries.ORDERS or ordering.startswith("--"):
        ordering = DEFAULT_ORDER
    return Listing(asked, filters, ordering, _cursor(arguments.get("cursor", ""), ordering))


def _value(name: str, text: str) -> Any:
    if not text:
        return None
    if name in FLAGS:
        return YES_OR_NO.get(text)
    if name in DAYS:
        return midnight(text)
    if name == "group":
        return parse_id(text)
    return text


def midnight(text: str) -> datetime | None:
    """The beginning of a day, in UTC; None when it is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime.combine(day, time(tzinfo=UTC)) if 1900 < day.year < 9000 else None


def _cursor(text: str, ordering: str) -> Cursor | None:
    try:
        cursor = pagination.decode(text, ordering) if text else None
        if cursor is not None:
            order = list_queries.ORDERS[ordering.removeprefix("-")]
            pagination.value(cursor, order.kind, nullable=order.nullable)
    except ValidationFailed:
        return None
    return cursor
