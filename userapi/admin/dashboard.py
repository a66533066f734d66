"""The first page of the staff site: totals, charts, health and recent events."""

from datetime import date, timedelta
from typing import Any, NamedTuple

from flask_admin import AdminIndexView
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.auth import sessions
from userapi.core import clock
from userapi.health import checks
from userapi.transfer import audit_export
from userapi.users import group_queries
from userapi.users.models import KINDS

from . import charts, queries, staff_auth
from .charts import Bar
from .views import ANY_STAFF, StaffView, staff_page

DAYS = 14
MAX_RECENT = 8

#: Counted from the audit log, for staff who may view sessions.
COUNTED_ACTIONS = {
    "session.started": lazy_gettext("Sign-ins"),
    "sign_in.failed": lazy_gettext("Failed sign-ins"),
}

#: The parts and the states of the health checks.
PARTS = {
    "database": lazy_gettext("Database"),
    "migrations": lazy_gettext("Database schema"),
    "keys": lazy_gettext("Signing keys"),
    "disk": lazy_gettext("Disk"),
    "email": lazy_gettext("Email delivery"),
    "worker": lazy_gettext("Background jobs"),
    "redis": lazy_gettext("Rate limits (Redis)"),
}
STATES = {
    "ok": lazy_gettext("OK"),
    "almost full": lazy_gettext("Almost full"),
    "delayed": lazy_gettext("Delayed"),
    "disk full": lazy_gettext("Disk full"),
    "low": lazy_gettext("Low"),
    "missing": lazy_gettext("Missing"),
    "not configured": lazy_gettext("Not configured"),
    "pending": lazy_gettext("Migration pending"),
    "stopped": lazy_gettext("Stopped"),
    "unknown": lazy_gettext("Unknown"),
    "unreachable": lazy_gettext("Unreachable"),
}


class Chart(NamedTuple):
    """A chart and its numbers.

    Attributes:
        title: what is counted.
        note: what the numbers include, if the title does not say it.
        filters: of the user list with the same rows; None if there is no such list.
    """

    title: str
    drawing: Any
    series: list[Bar]
    note: str = ""
    filters: dict[str, Any] | None = None


class Dashboard(StaffView, AdminIndexView):
    """The first page of the staff site."""

    @staff_page("/", needs=ANY_STAFF)
    def index(self) -> str:
        """Show what the caller may view of totals, charts, health and recent events."""
        recent = queries.list_events({}, None, MAX_RECENT).rows if staff_auth.may("view", "event") else []
        now = clock.now()
        sees_anything = any(staff_auth.may("view", kind) for kind in KINDS)
        return self.render(
            "admin/dashboard.html",
            sees_anything=sees_anything,
            staff_see_users=not sees_anything and _do_staff_see_users(),
            totals=queries.count_totals(now, sessions.idle_since(now)),
            max_counted=queries.MAX_COUNTED,
            charts=_charts(),
            recent=recent,
            names=audit_export.find_emails(recent),
            health=checks.run(),
            health_parts=PARTS,
            states=STATES,
            days=DAYS,
        )


def _do_staff_see_users() -> bool:
    """Whether the group Staff still exists and its members may view users."""
    staff = [group for group in group_queries.all_groups() if group.name == group_queries.STAFF]
    return any(permission.codename == "view_user" for group in staff for permission in group.permissions)


def _charts() -> list[Chart]:
    first = clock.today() - timedelta(days=DAYS - 1)
    days = [first + timedelta(days=number) for number in range(DAYS)]

    def chart(title: Any, counts: dict[date, int], **options: Any) -> Chart:
        series = [Bar(day, counts.get(day, 0)) for day in days]
        return Chart(title, charts.draw_bars(title, series), series, **options)

    drawn = []
    if staff_auth.may("view", "user"):
        note = _("Users by the day they were created, including imported and seeded users.")
        filters = {"joined_from": days[0].isoformat(), "joined_to": days[-1].isoformat()}
        drawn.append(chart(_("New users"), queries.count_users_by_day(first), note=note, filters=filters))
    if staff_auth.may("view", "session"):
        numbers = queries.count_events_by_day(list(COUNTED_ACTIONS), first)
        drawn += [chart(title, numbers[action]) for action, title in COUNTED_ACTIONS.items()]
    if staff_auth.may("view", "email"):
        drawn.append(chart(_("Emails sent"), queries.count_emails_by_day(first)))
    return drawn
