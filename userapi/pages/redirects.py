"""Where a page sends the browser next: always within this site."""

import re
from typing import Any

from flask import Response, request, url_for

#: An absolute path and query, in the characters that RFC 3986 allows there: no scheme, no host, no backslash, no
#: control character, and no `//` that a browser could take for the beginning of a host.
OWN_PATH = re.compile(
    r"/(?!/)(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|/(?!/))*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*)?"
)

LONGEST = 1000


def to(endpoint: str, **values: Any) -> Response:
    """A redirect, after a form, to a page of ours (303: the browser gets it and does not send the form again)."""
    return see_other(url_for(endpoint, **values))


def to_next() -> Response:
    """A redirect to where the visitor was going before signing in, or to the account."""
    return see_other(next_path() or url_for("pages.show_account"))


def next_path() -> str:
    """The `next` of this request, or nothing when it is absent or would leave the site."""
    wanted = request.values.get("next", "")
    return wanted if len(wanted) <= LONGEST and OWN_PATH.fullmatch(wanted) else ""


def see_other(path: str) -> Response:
    """A redirect, after a form, to a path of ours."""
    return Response(status=303, headers={"Location": path})
