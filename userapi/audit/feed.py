"""The event feed: every event once, in an order that never changes, for services that ask for what is new.

An event gets its position in the feed only when a reader needs it, from the reader itself, and only once it is
committed. Neither its id nor its transaction would do: decision 0088.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.batches import ROWS_PER_TRANSACTION
from userapi.core.db import db, expect_writes
from userapi.core.problems import Problem, Unavailable, ValidationFailed
from userapi.http.pagination import Cursor, decode_cursor

from . import feed_queries

#: The order in cursors of the feed.
ORDERING = "feed"

#: Where a reader begins that only wants what happens from now on.
LATEST = "latest"

#: The number of events that one request looks at for the actions that its reader wants.
SCANNED = 5000

#: How long a request for the latest position gives positions to older events, in seconds.
MAX_PLACING = 5.0


class PositionGone(Problem):
    """Events after the position of a reader were deleted, or the database is older than the position."""

    status = 410
    code = "position_gone"
    title = lazy_gettext("Events are missing")
    detail = lazy_gettext(
        "The feed no longer has every event after this position: they were too old, or the database was restored from "
        "a backup. Continue with after=latest, then read from the API whatever you store of users."
    )


class Page(NamedTuple):
    """Consecutive events of the feed.

    Attributes:
        events: those that the reader wants, in the order of the feed.
        position: where the next page starts.
        is_behind: whether there may be newer events that have no position yet.
    """

    events: Sequence[sa.Row[object]]
    position: int
    is_behind: bool


def read_page(after: str | None, limit: int, pattern: str) -> Page:
    """The events after a position.

    Args:
        after: what `encode` returned for an earlier page; None starts with the oldest event.
        limit: the maximum number of events.
        pattern: which actions, such as `user.*`; `*` for all.

    Raises:
        ValidationFailed: the position is not valid.
        PositionGone: events after it are missing.
    """
    start = None if after is None else _decode(after)
    page = _read(start, limit, pattern)
    if page.is_behind:
        place_events()
        page = _read(start, limit, pattern)
    return page


def find_end() -> int:
    """The position after all events that are committed now.

    Raises:
        Unavailable: so many events had no position that giving them theirs takes longer; some have theirs now.
    """
    end = time.monotonic() + MAX_PLACING
    while place_events() == ROWS_PER_TRANSACTION:
        if time.monotonic() > end:
            raise Unavailable(_("The feed is still sorting older events. Try again in a moment."))
    return feed_queries.read_state().last_position


def place_events() -> int:
    """Give a batch of events their positions, and commit them; returns the number of events."""
    if not feed_queries.read_state().has_more:
        return 0
    expect_writes()
    count = feed_queries.give_positions(ROWS_PER_TRANSACTION)
    db.session.commit()
    return count


def encode(position: int) -> str:
    """A position as readers get it."""
    return Cursor(ORDERING, "next", None, position).encode()


def _read(start: int | None, limit: int, pattern: str) -> Page:
    state = feed_queries.read_state()
    if start is not None and start > state.last_position:
        raise PositionGone
    wanted = limit if pattern == "*" else SCANNED
    window = feed_queries.read_window(start or 0, wanted)
    is_behind = window.size < wanted and state.has_more
    if start is not None and (window.last or state.last_position) - start != window.size:
        raise PositionGone
    if window.first is None or window.last is None:
        return Page([], state.last_position, is_behind)
    found = feed_queries.list_events(window.first, window.last, pattern, limit)
    return Page(found, found[-1].position if len(found) == limit else window.last, is_behind)


def _decode(after: str) -> int:
    try:
        position = decode_cursor(after, ORDERING).row_id
    except ValidationFailed:
        position = -1
    if position < 0:
        raise ValidationFailed(
            errors={"after": [_("Not a position of the feed. Send the after of an earlier response, or latest.")]}
        )
    return position
