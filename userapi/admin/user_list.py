"""The filters, the order and the page of the user list, read from the query string."""

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
from userapi.users import list_queries, search
from userapi.users.fields import FLAGS

from . import filters
from .filters import Filters

DEFAULT_ORDER = "-date_joined"


@dataclass(frozen=True)
class Listing:
    """A requested list.

    Attributes:
        texts: the filters as texts, for the form and for query strings.
        filters: the same as `list_queries` expects them.
        errors: messages for invalid filters; if there are any, the list is empty.
        ordering: a name of `list_queries.ORDERS`, `-` before it for descending.
        cursor: where the page starts.
    """

    texts: Mapping[str, str]
    filters: Mapping[str, Any]
    errors: Mapping[str, str]
    ordering: str
    cursor: Cursor | None

    def page(self, limit: int) -> Page:
        """The rows of the page; none if a filter is invalid."""
        if self.errors:
            return Page((), None, None)
        return list_queries.find_page(self.filters, self.ordering, limit, self.cursor)

    def count_up_to(self, limit: int) -> int:
        """The number of matching users, counted up to a limit."""
        return 0 if self.errors else list_queries.count_up_to(self.filters, limit)

    @property
    def query(self) -> str:
        """The query string of the first page of this list."""
        order = {} if self.ordering == DEFAULT_ORDER else {"ordering": self.ordering}
        return urlencode({**self.texts, **order})

    def query_at(self, cursor: Cursor | None) -> str:
        """The query string of another page of this list."""
        return urlencode({**self.texts, "ordering": self.ordering, **({"cursor": cursor.encode()} if cursor else {})})

    def ordered_by(self, name: str) -> str:
        """The query string for the order by this name, reversed if the list already has it."""
        ordering = f"-{name}" if self.ordering == name else name
        return urlencode({**self.texts, "ordering": ordering})


def read_list(arguments: Mapping[str, str]) -> Listing:
    """Read filters, order and cursor. An invalid order or cursor is replaced by the default."""
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
    return Listing(found.texts, values, found.errors, ordering, _read_cursor(arguments.get("cursor", ""), ordering))


def _read_search(text: str) -> str:
    text = filters.read_words(text)
    if len(unicodedata.normalize("NFKC", text).split()) > search.MAX_WORDS:
        raise ValueError(_("Search for at most %(most)s words.", most=search.MAX_WORDS))
    return text


READERS = {
    "search": _read_search,
    "country": filters.read_exact,
    **dict.fromkeys(FLAGS, filters.read_flag),
    **dict.fromkeys(("joined_from", "joined_to"), filters.read_day),
    "group": filters.read_id,
}


def _read_cursor(text: str, ordering: str) -> Cursor | None:
    try:
        cursor = pagination.decode_cursor(text, ordering) if text else None
        if cursor is not None:
            order = list_queries.ORDERS[ordering.removeprefix("-")]
            pagination.convert_cursor_value(cursor, order.kind, nullable=order.nullable)
    except ValidationFailed:
        return None
    return cursor
