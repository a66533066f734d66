"""Which form of an answer a caller prefers (RFC 9110, section 12.5.1)."""

from flask import request

DATA = ("application/json", "application/problem+json")
PAGE = "text/html"


def prefers_page() -> bool:
    """Whether the caller would rather have a page than data: browsers say so, programs that take anything do not."""
    return request.accept_mimetypes.best_match((*DATA, PAGE)) == PAGE
