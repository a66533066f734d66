"""Content negotiation: JSON or a page (RFC 9110, section 12.5.1)."""

from collections.abc import Iterable
from functools import lru_cache

from flask import Flask, Response
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from userapi.core import context

DATA_TYPES = ("application/json", "application/problem+json")
PAGE_TYPE = "text/html"

#: Paths for programs, which always return JSON, whatever `Accept` says.
PROGRAM_PATHS = ("/.well-known/", "/openapi.json", "/healthz", "/readyz", "/metrics")

#: The name of these with more of such paths among the extensions of the application.
ALL_PROGRAM_PATHS = "program_paths"

#: The maximum length of headers whose results are cached.
MAX_CACHED_LENGTH = 500


def add_to_vary(response: Response, names: str) -> None:
    """Name headers in `Vary`, in one line with those that it names already."""
    named = response.headers.get("Vary")
    response.headers["Vary"] = f"{named}, {names}" if named else names


def get_preferred_media_type() -> str | None:
    """The media type that the caller prefers, JSON if both are equal; None if it accepts neither."""
    header = _accept_header()
    return (
        _negotiate_media_type(header) if len(header) <= MAX_CACHED_LENGTH else _negotiate_media_type.__wrapped__(header)
    )


def set_program_paths(app: Flask, paths: Iterable[str]) -> None:
    """Name more paths that are only for programs."""
    app.extensions[ALL_PROGRAM_PATHS] = (*PROGRAM_PATHS, *paths)


def prefers_page() -> bool:
    """Whether the caller prefers a page to JSON, as browsers do; programs that accept anything do not."""
    return get_preferred_media_type() == PAGE_TYPE and not is_program_path()


def is_program_path() -> bool:
    """Whether the path of the request is only for programs."""
    paths: tuple[str, ...] = context.current_application().extensions.get(ALL_PROGRAM_PATHS, PROGRAM_PATHS)
    return context.current_request().path.startswith(paths)


def names_media_type(media_type: str) -> bool:
    """Whether `Accept` names a media type itself and not only a range that includes it."""
    return media_type in _accept_header().lower()


def _accept_header() -> str:
    header: str = context.current_request().environ.get("HTTP_ACCEPT", "")
    return header


@lru_cache(maxsize=256)
def _negotiate_media_type(header: str) -> str | None:
    accepted = parse_accept_header(header, MIMEAccept)
    return _without_parameters(accepted).best_match((*DATA_TYPES, PAGE_TYPE)) if accepted else DATA_TYPES[0]


def _without_parameters(accepted: MIMEAccept) -> MIMEAccept:
    """The header without the parameters of its media types, because our responses have none.

    A type with parameters and `q=0` excludes only that variant, so it is left out.
    """
    return MIMEAccept(
        (media_type, quality)
        for media_type, parameter, quality in ((*value.partition(";")[::2], quality) for value, quality in accepted)
        if quality or not parameter
    )
