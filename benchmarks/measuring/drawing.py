"""The plot: a bar for each operation and service with the cost of a request, on a scale of powers of two."""

from collections.abc import Sequence
from math import ceil, floor, log2
from statistics import median

from .peers import OURS
from .report import TITLES, Sample, cost

COLOURS = {OURS: "#1f77b4", "bare-flask": "#8c8c8c", "fastapi-users": "#2ca02c", "django-rest": "#d97706"}
LEFT, WIDTH, BAR, GAP, TOP = 235, 520, 14, 16, 46
STYLE = "text{font:13px system-ui,sans-serif;fill:#444}.figure{font-size:11px}.title{font-weight:600}"


def costs(samples: Sequence[Sample]) -> str:
    """An SVG of the processor milliseconds that a request costs, application and database."""
    middle = {
        (operation, peer): median(cost(s) for s in samples if (s["operation"], s["peer"]) == (operation, peer))
        for operation, peer in dict.fromkeys((s["operation"], s["peer"]) for s in samples)
    }
    low, high = floor(log2(min(middle.values()))), ceil(log2(max(middle.values())))

    def place(value: float) -> float:
        return LEFT + (log2(value) - low) / max(high - low, 1) * WIDTH

    parts, y = [], TOP + 26
    for operation in dict.fromkeys(operation for operation, _ in middle):
        peers = [peer for peer in COLOURS if (operation, peer) in middle]
        parts.append(_text(LEFT - 10, y + len(peers) * BAR / 2 + 4, TITLES[operation], anchor="end"))
        for peer in peers:
            value = middle[operation, peer]
            end = max(place(value), LEFT + 2)
            parts.append(
                f'<rect x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR - 2}" fill="{COLOURS[peer]}"/>'
            )
            parts.append(_text(end + 5, y + BAR - 4, f"{value:.2g}" if value < 10 else f"{value:.0f}", kind="figure"))
            y += BAR
        y += GAP
    for power in range(low, high + 1):
        x = place(2**power)
        parts.insert(0, f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP + 20}" y2="{y - 8}" stroke="#ddd"/>')
        parts.append(_text(x, y + 8, f"{2**power:g}", anchor="middle", kind="figure"))
    title = "Processor time per request in milliseconds, application and database (logarithmic scale)"
    legend = [
        f'<rect x="{LEFT + 130 * index}" y="{TOP - 10}" width="11" height="11" fill="{colour}"/>'
        + _text(LEFT + 130 * index + 16, TOP, peer)
        for index, (peer, colour) in enumerate(COLOURS.items())
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 50} {y + 16}" role="img">'
    body = "\n".join([_text(10, 22, title, kind="title"), *legend, *parts])
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<title>{title}</title>", f"<style>{STYLE}</style>", paper, body, "</svg>", ""])


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{text}</text>'
