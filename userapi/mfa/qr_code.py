"""QR codes as SVG, without styles and scripts. They are black on white on dark pages too, because apps expect that."""

from typing import Any

COLORS = {"dark": "#000000", "light": "#ffffff"}


def draw_svg(text: str) -> str:
    """A QR code as an `<svg>` element that takes the size of the page's style sheet."""
    return str(_make(text).svg_inline(omitsize=True, **COLORS))


def draw_data_url(text: str) -> str:
    """A QR code as a `data:` URL for an `<img>`, five pixels to a square."""
    return str(_make(text).svg_data_uri(scale=5, **COLORS))


def _make(text: str) -> Any:
    from segno import make  # loaded only when someone sets up an app

    return make(text, error="m", micro=False)
