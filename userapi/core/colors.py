"""Accessible variants of a colour: contrast ratios and relative luminance as WCAG 2.2 defines them.

Colours are texts of the form `#rrggbb`.
"""

from collections.abc import Iterable, Iterator

#: WCAG 2.2, 1.4.3 and 1.4.11: the minimum contrast of text, and of focus rings and borders of controls.
TEXT_CONTRAST = 4.5
NON_TEXT_CONTRAST = 3.0

WHITE = "#ffffff"
BLACK = "#000000"

#: For text on a colour. Every colour has a contrast of 4.5 or more with white or with black.
TEXT_COLORS = (WHITE, "#111827", BLACK)

#: How many shades there are from a colour to white or to black.
STEPS = 100


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_on(background: str) -> str:
    """The colour of text on a background: white if that is readable, otherwise almost black, otherwise black."""
    return next(color for color in TEXT_COLORS if contrast(color, background) >= TEXT_CONTRAST)


def readable_on(color: str, surfaces: Iterable[str], ratio: float) -> str:
    """The shade closest to a colour that has a contrast with every surface.

    Args:
        color: where the search begins.
        surfaces: backgrounds, all of them light or all of them dark.
        ratio: the minimum contrast with each.
    """
    surfaces = list(surfaces)
    target = BLACK if _luminance(surfaces[0]) > 0.5 else WHITE
    return next(shade for shade in _shades(color, target) if all(contrast(shade, one) >= ratio for one in surfaces))


def mix(color: str, other: str, share: float) -> str:
    """A colour with a share of another one, from 0 to 1."""
    pairs = zip(channels(color), channels(other), strict=True)
    return "#" + "".join(f"{round(mine + (theirs - mine) * share):02x}" for mine, theirs in pairs)


def channels(color: str) -> tuple[int, int, int]:
    """Red, green and blue, from 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _shades(color: str, target: str) -> Iterator[str]:
    return (mix(color, target, step / STEPS) for step in range(STEPS + 1))


def _luminance(color: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
