"""Icons of Tabler, drawn inline, so that they take the colour of the text and need no request of their own."""

from functools import cache
from pathlib import Path

from flask import Flask
from markupsafe import Markup

FOLDER = Path(__file__).parent.parent / "static" / "vendor" / "tabler" / "icons"

#: Icons that point somewhere: they are mirrored where the text runs from right to left.
DIRECTED = ("arrow-back-up", "arrow-left", "arrow-right", "chevron-left", "chevron-right", "login", "logout", "send")


def configure(app: Flask) -> None:
    """Offer `icon()` to templates."""
    app.jinja_env.globals["icon"] = draw_icon


@cache
def draw_icon(name: str) -> Markup:
    """An icon as SVG; screen readers skip it, so the text beside it, or a label, must say the same.

    Args:
        name: one of `styles/icons.txt`.

    Raises:
        FileNotFoundError: there is no such icon.
    """
    classes = "icon icon-flips" if name in DIRECTED else "icon"
    paths = (FOLDER / f"{name}.svg").read_text().strip()
    return Markup(  # noqa: S704 - files of this package
        f'<svg class="{classes}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{paths}</svg>'
    )
