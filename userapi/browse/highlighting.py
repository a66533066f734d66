"""JSON as HTML: indented and coloured, with links to URLs of this site. Everything in it is escaped."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from markupsafe import Markup, escape

from userapi.html.redirects import is_own_path

INDENT = "    "


@dataclass(frozen=True, slots=True)
class _Layout:
    """The arguments of `highlight` that are the same for every part of a document."""

    site: str
    items: str | None
    foldable: bool


def highlight(document: Any, site: str, items: str | None = None, *, foldable: bool = False) -> Markup:
    """Format a JSON document as HTML.

    Args:
        document: plain data.
        site: the origin of this site; a string that begins with it and a path is a link.
        items: the path below which each `id` in `results` has a path of its own, if there is one.
        foldable: whether each object and array in the document can be folded. `<pre>` cannot hold the result.
    """
    lines = _lines(_Layout(site, items, foldable), document, "", "", ())
    return Markup("".join(lines).removesuffix("\n"))  # noqa: S704 every part is escaped below


def own_path(value: Any, site: str) -> str | None:
    """The path of a URL of this site; None for any other value."""
    if not isinstance(value, str) or not value.startswith(site):
        return None
    path = value.removeprefix(site)
    return path if is_own_path(path) else None


def _lines(layout: _Layout, value: Any, before: str, after: str, where: tuple[Any, ...]) -> Iterator[str]:
    """The lines of a value, each with its line feed, so that a block can begin and end between any two.

    Args:
        layout: of the document.
        value: an object, an array or a scalar.
        before: what its first line begins with: the key, as HTML.
        after: what its last line ends with: a comma or nothing.
        where: the keys and indexes that lead to the value.
    """
    indent = INDENT * len(where)
    if not (isinstance(value, dict | list) and value):
        yield f"{indent}{before}{_scalar(value, _link_target(value, layout, where))}{after}\n"
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    is_fold = layout.foldable and bool(where)
    if is_fold:
        # The closing bracket is outside: what is copied by hand while the fold is closed is still JSON.
        yield f'<details open><summary><span class="fold">{indent}</span>{before}{opening}<i></i>\n</summary>'
    else:
        yield f"{indent}{before}{opening}\n"
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for number, (key, part) in enumerate(pairs, 1):
        name = f'<span class="key">{_quoted(key)}</span>: ' if isinstance(value, dict) else ""
        yield from _lines(layout, part, name, "," if number < len(value) else "", (*where, key))
    if is_fold:
        yield "</details>"
    yield f"{indent}{closing}{after}\n"


def _link_target(value: Any, layout: _Layout, where: tuple[Any, ...]) -> str | None:
    """The path to which a value links, if it does."""
    if layout.items and len(where) == 3 and (where[0], where[2]) == ("results", "id"):
        return f"{layout.items}{value}/"
    return own_path(value, layout.site)


def _scalar(value: Any, target: str | None) -> str:
    kind = "text" if isinstance(value, str) else "word" if value is None or isinstance(value, bool) else "number"
    shown = Markup('<span class="{}">{}</span>').format(kind, Markup(_quoted(value)))  # noqa: S704
    return str(shown if target is None else Markup('<a href="{}">{}</a>').format(target, shown))


def _quoted(value: Any) -> str:
    """A value as JSON, as HTML."""
    return str(escape(orjson.dumps(value).decode()))
