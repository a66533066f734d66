"""What the list of users is asked for, read from the query string."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from flask_babel import gettext as _

from userapi.core.problems import ValidationFailed
from userapi.http import pagination
from userapi.http.pagination import Cursor, Page
from userapi.users import list_queries
from userapi.users.fields import FLAGS

from . import filters
from .filters import Filters

DEFAULT_ORDER = "-date_joined"


@dataclass(frozen=True)
class Listing:
    """A list that was asked for.

    Attributes:
        asked: the filters as texts, to fill the form with and to make query strings of.
        filters: the same as the query takes it.
        errors: what is wrong with the filters that cannot be read; the list is empty then.
        ordering: a name of `list_queries.ORDERS`, `-` before it for descending.
        cursor: where the page starts.
    """

    asked: Mapping[str, str]
    filters: Mapping[str, Any]
    errors: Mapping[str, str]
    ordering: str
    cursor: Cursor | None

    def page(self, limit: int) -> Page:
        """The rows of the page; none while a filter cannot be read."""
        if self.errors:
            return Page((), None, None)
        return list_queries.find_page(self.filters, self.ordering, limit, self.cursor)

    def count_up_to(self, most: int) -> int:
        """How many users match, counted no further than this."""
        return 0 if self.errors else list_queries.count_up_to(self.filters, most)

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
    """Read the filters, the order and where the page starts; the last two by default where they cannot be read."""
    found = Filters(arguments, READERS)
    values = dict(found.values)
    if "search" in values:
        values["staff_search"] = values.pop("search")
    if "joined_from" in values:
        values["joined_after"] = values.pop("joined_from")
    if "joined_to" in values:
        values["joined_before"] = values.pop("joined_to") + timedelta(days=1)
    ordering = arguments.get("ordering", DEFAULT_ORDER)
    if ordering.removeprefix("-") not in list_queries.ORDERS or ordering.startswith("--"):
        ordering = DEFAULT_ORDER
    return Listing(found.texts, values, found.errors, ordering, _cursor(arguments.get("cursor", ""), ordering))


def _search(text: str) -> str:
    text = filters.words(text)
    if len(unicodedata.normalize("NFKC", text).split()) > list_queries.MAX_WORDS:
        raise ValueError(_("Search for at most %(most)s words.", most=list_queries.MAX_WORDS))
    return text


READERS = {
    "search": _search,
    "country": filters.exact,
    **dict.fromkeys(FLAGS, filters.yes_or_no),
    **dict.fromkeys(("joined_from", "joined_to"), filters.midnight),
    "group": filters.row_id,
}


def _cursor(text: str, ordering: str) -> Cursor | None:
    try:
        cursor = pagination.decode_cursor(text, ordering) if text else None
        if cursor is not None:
            order = list_queries.ORDERS[ordering.removeprefix("-")]
            pagination.convert_cursor_value(cursor, order.kind, nullable=order.nullable)
    except ValidationFailed:
        return None
    return cursor
