"""Redirects after a form, and which paths of a request may be redirected to."""

import re
from typing import Any

from flask import Response, request, url_for

#: An absolute path and query of RFC 3986: no scheme, host, backslash or control character, and no `//`, which a
#: browser could read as the start of a host.
OWN_PATH = re.compile(
    r"/(?!/)(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|/(?!/))*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*)?"
)

#: Characters of a `next` parameter.
MAX_LENGTH = 1000


def see_other(url: str) -> Response:
    """Redirect after a form. With 303, the browser gets the page and does not submit the form again (RFC 9110)."""
    return Response(status=303, headers={"Location": url})


def redirect_to(endpoint: str, **values: Any) -> Response:
    """Redirect after a form to an endpoint of this site."""
    return see_other(url_for(endpoint, **values))


def redirect_to_next() -> Response:
    """Redirect to the page that the visitor requested before signing in, or to the account page."""
    return see_other(next_path() or url_for("pages.show_account"))


def next_path() -> str:
    """The `next` parameter of this request; empty if it is missing or would leave this site."""
    path = request.values.get("next", "")
    return path if len(path) <= MAX_LENGTH and is_own_path(path) else ""


def is_own_path(text: str) -> bool:
    """Whether a browser that follows this link stays on this site."""
    return OWN_PATH.fullmatch(text) is not None
