"""Bar charts of days: as SVG without scripts, style attributes and external images, and as data for `overview.js`.

The SVG has no text, because text would shrink and stretch with it; maximum and days stand around it in the page.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from flask_babel import ngettext
from markupsafe import Markup

from userapi.core.i18n import format_number

HEIGHT = 100

#: The part of a day's width that is empty.
GAP = 0.25


class Bar(NamedTuple):
    """The number of one day."""

    day: date
    number: int


class Chart(NamedTuple):
    """A chart.

    Attributes:
        title: what is counted.
        series: one bar for each day, the oldest first.
        nothing: what the page says if all numbers are zero.
        note: what the numbers include, if the title does not say it.
        filters: of the user list with the same rows; None if there is no such list.
    """

    title: str
    series: Sequence[Bar]
    nothing: str
    note: str = ""
    filters: dict[str, Any] | None = None

    @property
    def total(self) -> int:
        """The sum of all days."""
        return sum(bar.number for bar in self.series)

    @property
    def most(self) -> int:
        """The number of the day with the most."""
        return max((bar.number for bar in self.series), default=0)

    @property
    def label(self) -> str:
        """The chart in a sentence, for screen readers."""
        text: str = ngettext(
            "%(title)s: %(total)s in %(num)s day, at most %(most)s per day. The table below has the numbers.",
            "%(title)s: %(total)s in %(num)s days, at most %(most)s per day. The table below has the numbers.",
            len(self.series),
            title=self.title,
            total=format_number(self.total),
            most=format_number(self.most),
        )
        return text

    @property
    def drawing(self) -> Markup:
        """The bars, which stretch to the width of the page."""
        bars = Markup("").join(self._draw_bar(index, bar) for index, bar in enumerate(self.series))
        return Markup(
            '<svg class="chart" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
            "{bars}</svg>"
        ).format(width=len(self.series), height=HEIGHT, bars=bars)

    def _draw_bar(self, index: int, bar: Bar) -> Markup:
        height = HEIGHT * bar.number / self.most if self.most else 0
        return Markup(
            '<rect x="{x:.3f}" y="{y:.1f}" width="{width}" height="{height:.1f}"><title>{day}: {number}</title></rect>'
        ).format(
            x=index + GAP / 2,
            y=HEIGHT - height,
            width=1 - GAP,
            height=height,
            day=bar.day.isoformat(),
            number=format_number(bar.number),
        )
