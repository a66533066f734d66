"""Bar charts as SVG without scripts, style attributes and external images, which the CSP would block."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from flask_babel import gettext as _
from markupsafe import Markup

from userapi.core.i18n import format_number, format_short_day

WIDTH, HEIGHT, BASE, TOP = 420, 140, 118, 14
GAP = 0.25


class Bar(NamedTuple):
    """The number of one day."""

    day: date
    number: int


def draw_bars(title: str, series: Sequence[Bar]) -> Markup:
    """Draw a bar chart of days.

    Args:
        title: what is counted.
        series: one bar for each day, the oldest first.
    """
    most = max((bar.number for bar in series), default=0)
    step = WIDTH / max(len(series), 1)
    parts = [_draw_bar(bar, index, step, most) for index, bar in enumerate(series)]
    return Markup(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        '<line class="chart-axis" x1="0" x2="{width}" y1="{base}" y2="{base}"></line>{bars}{ends}{peak}</svg>'
    ).format(
        width=WIDTH,
        height=HEIGHT,
        base=BASE,
        label=_label(title, series, most),
        bars=Markup("").join(parts),
        ends=_draw_dates(series),
        peak=_draw_maximum(series, step, most),
    )


def _draw_bar(bar: Bar, index: int, step: float, most: int) -> Markup:
    height = (BASE - TOP) * bar.number / most if most else 0
    return Markup(
        '<rect class="chart-bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2">'
        "<title>{day}: {number}</title></rect>"
    ).format(
        x=index * step + step * GAP / 2,
        y=BASE - height,
        width=step * (1 - GAP),
        height=height,
        day=bar.day.isoformat(),
        number=format_number(bar.number),
    )


def _draw_dates(series: Sequence[Bar]) -> Markup:
    if not series:
        return Markup("")
    return Markup(
        '<text class="chart-text" x="0" y="{y}">{first}</text>'
        '<text class="chart-text" x="{width}" y="{y}" text-anchor="end">{last}</text>'
    ).format(y=HEIGHT - 6, width=WIDTH, first=format_short_day(series[0].day), last=format_short_day(series[-1].day))


def _draw_maximum(series: Sequence[Bar], step: float, most: int) -> Markup:
    """The largest number, above its bar."""
    if not most:
        return Markup("")
    index = next(index for index, bar in enumerate(series) if bar.number == most)
    middle = min(max(index * step + step / 2, 16), WIDTH - 16)
    return Markup('<text class="chart-text" x="{x:.1f}" y="{y}" text-anchor="middle">{most}</text>').format(
        x=middle, y=TOP - 3, most=format_number(most)
    )


def _label(title: str, series: Sequence[Bar], most: int) -> str:
    sentence = _(
        "%(title)s: %(total)s in %(days)s days, at most %(most)s per day. The table below has the numbers.",
        title=title,
        total=format_number(sum(bar.number for bar in series)),
        days=format_number(len(series)),
        most=format_number(most),
    )
    return str(sentence)
