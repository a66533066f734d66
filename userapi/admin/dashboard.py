"""The first page: how the service is, and how the last days were."""

from datetime import timedelta
from typing import Any, NamedTuple

from flask_admin import AdminIndexView
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from userapi.auth import sessions
from userapi.core import clock
from userapi.core.db import db
from userapi.mail import queries as mail_queries

from . import charts, entrance, history, queries
from .charts import Bar
from .views import ANY_STAFF, StaffView, page

DAYS = 14
RECENT = 8

#: What is drawn from the trail, by the permission to see it.
COUNTED = {
    "user.created": (lazy_gettext("Registrations"), "user"),
    "session.started": (lazy_gettext("Sign-ins"), "session"),
    "sign_in.failed": (lazy_gettext("Failed sign-ins"), "session"),
}

#: A letter that waits longer than this shows that nothing delivers.
PATIENCE = timedelta(minutes=15)


class Chart(NamedTuple):
    """A drawing and its numbers."""

    title: str
    drawing: Any
    series: list[Bar]


class Dashboard(StaffView, AdminIndexView):
    """The first page of the staff site."""

    @page("/", needs=ANY_STAFF)
    def index(self) -> str:
        """Totals, charts, health and what happened last, as far as the caller may see each."""
        recent = queries.events({}, None, RECENT).rows if entrance.may("view", "event") else []
        now = clock.now()
        return self.render(
            "admin/dashboard.html",
            totals=queries.totals(now, sessions.idle_since(now)),
            most_counted=queries.MOST_COUNTED,
            charts=_charts(),
            recent=recent,
            names=history.names(recent),
            health=_health(),
            days=DAYS,
        )


def _charts() -> list[Chart]:
    first = clock.today() - timedelta(days=DAYS - 1)
    days = [first + timedelta(days=number) for number in range(DAYS)]
    wanted = {action: title for action, (title, kind) in COUNTED.items() if entrance.may("view", kind)}
    numbers = queries.events_by_day(list(wanted), first) if wanted else {}
    drawn = [(title, numbers[action]) for action, title in wanted.items()]
    if entrance.may("view", "message"):
        drawn.append((_("Letters sent"), queries.letters_by_day(first)))
    series = [(title, [Bar(day, found.get(day, 0)) for day in days]) for title, found in drawn]
    return [Chart(title, charts.bars(title, shown), shown) for title, shown in series]


def _health() -> list[tuple[str, bool, str]]:
    """Each part, whether it is well, and in words. That the page is there shows that the database answers."""
    late = mail_queries.count_waiting(clock.now() - PATIENCE)
    mail = _("Letters leave as they come.")
    if late:
        mail = ngettext(
            "%(num)s letter has waited for more than 15 minutes.",
            "%(num)s letters have waited for more than 15 minutes.",
            late,
        )
    answers = _("%(database)s answers.", database=db.engine.dialect.name)
    return [(_("Database"), True, answers), (_("Mail"), not late, mail)]
