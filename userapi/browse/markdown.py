"""Texts of the OpenAPI document as HTML: the parts of Markdown that they use. Everything else is escaped."""

import re

from markupsafe import Markup, escape

#: `code`, a link to a page of this site or to another site, **strong** and *emphasis*.
INLINE = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|\[(?P<text>[^\]]+)\]\((?P<url>(?:/(?!/)|#|https?://)[^)\s]*)\)"
    r"|\*\*(?P<strong>[^*]+)\*\*"
    r"|\*(?P<em>[^*]+)\*"
)

#: What begins an item of a list.
BULLET = "- "


def render_inline(text: str) -> Markup:
    """A line of Markdown, such as a summary or the description of a field."""
    text = text.replace(r"\<", "<")
    parts, end = [], 0
    for match in INLINE.finditer(text):
        parts += [escape(text[end : match.start()]), _element(match)]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def render_blocks(text: str) -> Markup:
    """Paragraphs and lists, with a blank line between them."""
    return Markup("\n").join(_block(block) for block in re.split(r"\n\s*\n", text.strip()) if block)


def _block(block: str) -> Markup:
    lines = block.split("\n")
    if all(line.startswith((BULLET, "  ")) for line in lines):
        items = re.split(rf"(?m)^{BULLET}", block)[1:]
        return Markup("<ul>{}</ul>").format(
            Markup("").join(Markup("<li>{}</li>").format(render_inline(item.strip())) for item in items)
        )
    return Markup("<p>{}</p>").format(render_inline(block))


def _element(match: re.Match[str]) -> Markup:
    if match["url"]:
        return Markup('<a href="{}">{}</a>').format(match["url"], match["text"])
    name = str(match.lastgroup)
    return Markup("<{0}>{1}</{0}>").format(name, match[name])
