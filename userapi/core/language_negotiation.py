"""The choice of a language from an `Accept-Language` header."""

import functools

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header


@functools.lru_cache(maxsize=256)
def negotiate_language(header: str, offered: tuple[str, ...]) -> str | None:
    """Return the available language that fits a header best, `de` for `de-AT` too (RFC 4647, section 3.4).

    Args:
        header: an `Accept-Language` header, well-formed or not.
        offered: tags; the first one is the result for `*`.
    """
    preferences = [
        (tag.lower().replace("_", "-"), quality) for tag, quality in parse_accept_header(header, LanguageAccept)
    ]
    excluded = {tag for tag, quality in preferences if quality <= 0}
    available = {tag.lower(): tag for tag in offered if tag.lower() not in excluded}
    for tag, quality in preferences:
        if quality > 0:
            if tag == "*":
                return next(iter(available.values()), None)
            parts = tag.split("-")
            for length in range(len(parts), 0, -1):
                if (found := available.get("-".join(parts[:length]))) is not None:
                    return found
    return None
