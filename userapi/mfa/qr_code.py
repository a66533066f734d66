"""QR codes as SVG."""

from base64 import b64encode


def draw_svg(text: str) -> str:
    """A QR code as an `<svg>` element without styles or scripts, black on white, for dark pages too."""
    from segno import make  # loaded only when someone sets up an app

    return str(make(text, error="m", micro=False).svg_inline(scale=5, border=4, light="#ffffff", dark="#000000"))


def to_data_url(svg: str) -> str:
    """An SVG as a `data:` URL, which an `<img>` can show."""
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()
