"""Which form of an answer a caller prefers (RFC 9110, section 12.5.1)."""

from functools import lru_cache

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from . import context

DATA = ("application/json", "application/problem+json")
PAGE = "text/html"

#: Longer headers are read, too, but not remembered.
LONGEST_REMEMBERED = 500


def preferred() -> str | None:
    """What the caller takes best, data before a page that is as good; None when it takes neither."""
    header = context.asked().environ.get("HTTP_ACCEPT", "")
    return _preferred(header) if len(header) <= LONGEST_REMEMBERED else _preferred.__wrapped__(header)


def prefers_page() -> bool:
    """Whether the caller would rather have a page than data: browsers say so, programs that take anything do not."""
    return preferred() == PAGE


@lru_cache(maxsize=256)
def _preferred(header: str) -> str | None:
    accepted = parse_accept_header(header, MIMEAccept)
    return accepted.best_match((*DATA, PAGE)) if accepted else DATA[0]
