"""JSON as HTML: indented and coloured, with links to URLs of this site. Everything in it is escaped."""

from collections.abc import Iterator
from typing import Any

import orjson
from markupsafe import Markup, escape

from userapi.html.redirects import is_own_path

INDENT = "    "


def highlight(document: Any, site: str, items: str | None = None) -> Markup:
    """Format a JSON document as HTML.

    Args:
        document: plain data.
        site: the origin of this site; a string that begins with it and a path is a link.
        items: the path below which each `id` in `results` has a path of its own, if there is one.
    """
    return Markup("".join(_lines(document, site, items, "", ())))  # noqa: S704 every part is escaped below


def own_path(value: Any, site: str) -> str | None:
    """The path of a URL of this site; None for any other value."""
    if not isinstance(value, str) or not value.startswith(site):
        return None
    path = value.removeprefix(site)
    return path if is_own_path(path) else None


def _lines(value: Any, site: str, items: str | None, indent: str, where: tuple[Any, ...]) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        yield opening
        comma = "\n"
        for key, part in pairs:
            yield f"{comma}{indent}{INDENT}"
            comma = ",\n"
            if isinstance(value, dict):
                yield f'<span class="key">{_quoted(key)}</span>: '
            yield from _lines(part, site, items, indent + INDENT, (*where, key))
        yield f"\n{indent}{closing}"
    else:
        yield _scalar(value, _link_target(value, site, items, where))


def _link_target(value: Any, site: str, items: str | None, where: tuple[Any, ...]) -> str | None:
    """The path to which a value links, if it does."""
    if items and len(where) == 3 and (where[0], where[2]) == ("results", "id"):
        return f"{items}{value}/"
    return own_path(value, site)


def _scalar(value: Any, target: str | None) -> str:
    kind = "text" if isinstance(value, str) else "word" if value is None or isinstance(value, bool) else "number"
    shown = Markup('<span class="{}">{}</span>').format(kind, Markup(_quoted(value)))  # noqa: S704
    return str(shown if target is None else Markup('<a href="{}">{}</a>').format(target, shown))


def _quoted(value: Any) -> str:
    """A value as JSON, as HTML."""
    return str(escape(orjson.dumps(value).decode()))
