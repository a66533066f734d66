"""The filters, the order and the page of the user list, read from the query string."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.core import clock
from userapi.core.i18n import format_number
from userapi.core.problems import ValidationFailed
from userapi.http import pagination
from userapi.http.pagination import Cursor, Page
from userapi.mfa import user_filters
from userapi.users import list_counts, list_queries, search, search_pages
from userapi.users.list_counts import Count, Overview

from . import filters, profile_filters
from .filters import Filters

DEFAULT_ORDER = "-date_joined"

#: Rows on a page that staff can choose.
SIZES = (25, 50, 100, 200)
DEFAULT_SIZE = 50

#: In URLs, for users without a group instead of the ID of one.
NO_GROUP = "none"

#: The number of a row in a URL.
NUMBER = re.compile("[1-9][0-9]{0,9}", re.ASCII)


@dataclass(frozen=True)
class Figures:
    """What stands beside a page of the list, as "1–50 of 5,012".

    Attributes:
        first, last: the numbers of the first and last row, counted from 1; None if the page has no row or the URL does
            not say.
        count: the number of users in the list.
        precision: `exact`, `about` (an estimate), `more_than` or `unknown` (`count` is 0 then).
        is_exact: whether `precision` is `exact`.
        previous, next: the query strings of the neighbouring pages, or None.
    """

    first: int | None
    last: int | None
    count: int
    precision: str
    is_exact: bool
    previous: str | None
    next: str | None

    @property
    def text(self) -> str:
        """Rows and number in words, in the language of the request."""
        count = format_number(self.count)
        total: str = {
            "exact": ngettext("%(count)s user", "%(count)s users", self.count, count=count),
            "about": ngettext("about %(count)s user", "about %(count)s users", self.count, count=count),
            "more_than": ngettext("more than %(count)s user", "more than %(count)s users", self.count, count=count),
            "unknown": "",
        }[self.precision]
        if self.first is None or self.last is None:
            return str(total)
        rows = f"{format_number(self.first)}–{format_number(self.last)}"
        return str(_("%(rows)s of %(total)s", rows=rows, total=total)) if total else rows


@dataclass(frozen=True)
class Listing:
    """A requested list.

    Attributes:
        texts: the filters as texts, for the form and for query strings.
        filters: the same as `list_queries` expects them.
        errors: messages for invalid filters; if there are any, the list is empty.
        ordering: a name of `list_queries.ORDERS`, `-` before it for descending.
        cursor: where the page starts.
        size: rows on a page.
        first: the number of the first row of the page, counted from 1; None if the URL does not say.
    """

    texts: Mapping[str, str]
    filters: Mapping[str, Any]
    errors: Mapping[str, str]
    ordering: str
    cursor: Cursor | None
    size: int
    first: int | None

    def read(self) -> dict[str, Any]:
        """The page with its figures and facets, as the template gets them; no rows if a filter is invalid."""
        page, overview = Page((), None, None), list_counts.EMPTY
        if not self.errors:
            page, overview = self._find()
        figures = self._describe(page, overview.count)
        facets = {
            name: {text: numbers[value] for text, value in filters.YES_OR_NO.items()}
            for name, numbers in overview.facets.items()
        }
        return {"listing": self, "page": page, "figures": figures, "facets": facets, "sizes": SIZES}

    def _find(self) -> tuple[Page, Overview]:
        """The page, and the list in numbers."""
        outline = list_queries.outline_filters(self.filters)
        if search_pages.applies(outline):
            return search_pages.read(self.filters, self.ordering, self.size, self.cursor, outline)
        page = list_queries.find_page(self.filters, self.ordering, self.size, self.cursor, outline)
        is_whole = page.previous is None and page.next is None
        return page, list_counts.count_rows(page.rows) if is_whole else list_counts.count_list(self.filters, outline)

    def _describe(self, page: Page, count: Count) -> Figures:
        """Which rows a page shows, and the query strings of its neighbours."""
        first, shown = 1 if page.previous is None else self.first, len(page.rows)
        if first and count.is_exact and first + shown - 1 > count.number + self.size:
            first = None  # the number in the URL was invented
        last = first + shown - 1 if first and shown else None
        if (
            count.is_exact and last and last > count.number
        ):  # a user was added after the count, or deleted before the page
            count = count._replace(number=last)
        previous = max(1, first - self.size) if first else None
        return Figures(
            first if shown else None, last, count.number, count.precision.value, count.is_exact,
            self._query_at(page.previous, previous) if page.previous else None,
            self._query_at(page.next, first + shown if first else None) if page.next else None,
        )  # fmt: skip

    @property
    def query(self) -> str:
        """The query string of the first page of this list."""
        return self.with_size(self.size)

    @property
    def query_without_search(self) -> str:
        """The same without the texts that may belong to one user, to be stored."""
        personal = {"search", *profile_filters.list_personal()}
        return self._first_page({name: text for name, text in self.texts.items() if name not in personal}, self.size)

    def with_filter(self, name: str, text: str | None) -> str:
        """The query string of the first page of this list with one filter changed, or without it."""
        texts = {other: found for other, found in self.texts.items() if other != name}
        return self._first_page(texts if text is None else {**texts, name: text}, self.size)

    @property
    def joined_ranges(self) -> list[tuple[str, str]]:
        """Names of periods until now, and the query strings of the first pages of this list for who joined in them."""
        today = clock.now().date()
        starts = {
            _("Today"): today,
            _("Past 7 days"): today - timedelta(days=6),
            _("This month"): today.replace(day=1),
            _("This year"): today.replace(month=1, day=1),
        }
        texts = {name: text for name, text in self.texts.items() if name not in ("joined_from", "joined_to")}
        return [
            (label, self._first_page({**texts, "joined_from": start.isoformat()}, self.size))
            for label, start in starts.items()
        ]

    def with_size(self, size: int) -> str:
        """The query string of the first page of this list with other pages."""
        return self._first_page(self.texts, size)

    def _first_page(self, texts: Mapping[str, str], size: int) -> str:
        order = {} if self.ordering == DEFAULT_ORDER else {"ordering": self.ordering}
        return urlencode({**texts, **order, **({} if size == DEFAULT_SIZE else {"size": size})})

    def _query_at(self, cursor: Cursor, first: int | None) -> str:
        size = {} if self.size == DEFAULT_SIZE else {"size": self.size}
        number = {} if first is None else {"n": first}
        return urlencode({**self.texts, "ordering": self.ordering, **size, "cursor": cursor.encode(), **number})

    def ordered_by(self, name: str) -> str:
        """The query string for the order by this name, reversed if the list already has it."""
        ordering = f"-{name}" if self.ordering == name else name
        size = {} if self.size == DEFAULT_SIZE else {"size": self.size}
        return urlencode({**self.texts, "ordering": ordering, **size})


def read_list(arguments: Mapping[str, str]) -> Listing:
    """Read filters, order and cursor. An invalid order or cursor is replaced by the default."""
    found = Filters(arguments, {**READERS, **profile_filters.get_readers()})
    values = dict(found.values)
    profile_filters.collect(values, found.errors)
    if "search" in values:
        values["staff_search"] = values.pop("search")
    for moment in ("joined", "signed_in"):
        if f"{moment}_from" in values:
            values[f"{moment}_after"] = values.pop(f"{moment}_from")
        if f"{moment}_to" in values:
            values[f"{moment}_before"] = values.pop(f"{moment}_to") + timedelta(days=1)
    ordering = arguments.get("ordering", DEFAULT_ORDER)
    if ordering.removeprefix("-") not in list_queries.ORDERS or ordering.startswith("--"):
        ordering = DEFAULT_ORDER
    cursor = _read_cursor(arguments.get("cursor", ""), ordering)
    size = arguments.get("size", "")
    return Listing(
        found.texts,
        values,
        found.errors,
        ordering,
        cursor,
        int(size) if size in map(str, SIZES) else DEFAULT_SIZE,
        _read_number(arguments.get("n", "")) if cursor else 1,
    )


def _read_number(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) else None


def _read_search(text: str) -> str:
    text = filters.read_words(text)
    if len(unicodedata.normalize("NFKC", text).split()) > search.MAX_WORDS:
        raise ValueError(
            ngettext(
                "Search for at most %(most)s word.",
                "Search for at most %(most)s words.",
                search.MAX_WORDS,
                most=search.MAX_WORDS,
            )
        )
    return text


def _read_group(text: str) -> int | None:
    return None if text.strip() == NO_GROUP else filters.read_id(text)


READERS = {
    "search": _read_search,
    "country": filters.read_exact,
    **dict.fromkeys(list_queries.YES_OR_NO, filters.read_flag),
    **dict.fromkeys(("joined_from", "joined_to", "signed_in_from", "signed_in_to"), filters.read_day),
    "group": _read_group,
    user_filters.NAME: filters.reader_of(user_filters.VALUES),
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
