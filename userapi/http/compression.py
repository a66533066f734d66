"""Compression with gzip: of static files always, of pages only when no other site can have caused the request.

A page that repeats what a request says next to a secret, such as a CSRF token, must not be compressed for other sites:
from the length of many responses an eavesdropper could guess the secret (BREACH). For that attack another site sends
the requests from the victim's browser, and browsers mark those with `Sec-Fetch-Site`;
`docs/decisions/0045-compression.md` has the whole argument.
"""

import zlib
from functools import lru_cache

from flask import Response
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from userapi.core import context

from .negotiation import add_to_vary

#: Smaller bodies fit into one packet anyway.
MIN_BYTES = 1024

#: Levels of zlib: a page is compressed for each request, a file once.
PAGE_LEVEL = 4
FILE_LEVEL = 9

#: `Sec-Fetch-Site` of a request that one of our pages caused, or the user with the address bar or a bookmark.
OWN_REQUESTS = ("same-origin", "none")

#: Makes zlib write the header and trailer of gzip (RFC 1952).
GZIP_WINDOW = 31


def compress(content: bytes, level: int) -> bytes:
    """The content as gzip; without a time, so that the same content gives the same bytes."""
    compressor = zlib.compressobj(level, wbits=GZIP_WINDOW)
    return compressor.compress(content) + compressor.flush()


def compress_page(response: Response) -> None:
    """Compress a page if the caller accepts gzip and no other site can have caused the request."""
    environ = context.current_request().environ
    if environ.get("HTTP_SEC_FETCH_SITE") not in OWN_REQUESTS or not accepts_gzip():
        return
    tag, is_weak = response.get_etag()
    is_byte_exact = tag is not None and not is_weak
    if response.is_streamed or is_byte_exact or "Content-Encoding" in response.headers:
        return
    content = response.get_data()
    if len(content) >= MIN_BYTES:
        response.set_data(compress(content, PAGE_LEVEL))
        response.headers["Content-Encoding"] = "gzip"
        add_to_vary(response, "Accept-Encoding, Sec-Fetch-Site")


def accepts_gzip() -> bool:
    """Whether the caller accepts gzip (RFC 9110, section 12.5.3)."""
    return _is_gzip_accepted(context.current_request().environ.get("HTTP_ACCEPT_ENCODING", "")[:200])


@lru_cache(maxsize=256)
def _is_gzip_accepted(header: str) -> bool:
    qualities = dict(parse_accept_header(header.lower(), Accept))
    return qualities.get("gzip", qualities.get("*", 0)) > 0
