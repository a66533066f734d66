"""The first page of the staff site: what needs attention, totals, charts and recent events."""

from datetime import date, timedelta

from flask import request
from flask_admin import AdminIndexView
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.auth import sessions
from userapi.core import clock, i18n
from userapi.transfer import audit_export
from userapi.users import group_queries, permission_names

from . import attention, daily_counts, queries, staff_auth
from .charts import Bar, Chart
from .views import ANY_STAFF, StaffView, staff_page

#: The days that the charts can show, and those that they show first.
PERIODS = (7, 30, 90)
DAYS = 30

MAX_RECENT = 8


class Dashboard(StaffView, AdminIndexView):
    """The first page of the staff site."""

    @staff_page("/", needs=ANY_STAFF)
    def index(self) -> str:
        """Show what the caller may view of findings, totals, charts and recent events."""
        recent = queries.list_events({}, None, MAX_RECENT).rows if staff_auth.may("view", "event") else []
        now = clock.now()
        days = next((days for days in PERIODS if request.args.get("days") == str(days)), DAYS)
        sees_anything = any(staff_auth.may("view", kind) for kind in permission_names.get_kinds())
        totals = queries.count_totals(now, sessions.idle_since(now))
        charts = list_charts(days)  # before the findings, which need the numbers of fewer days
        return self.render(
            "admin/dashboard.html",
            sees_anything=sees_anything,
            staff_see_users=not sees_anything and _do_staff_see_users(),
            findings=list(attention.find(totals["failed_emails"])),
            totals=totals,
            max_counted=queries.MAX_COUNTED,
            charts=charts,
            periods=PERIODS,
            days=days,
            short_day=i18n.format_short_day,
            recent=recent,
            names=audit_export.find_emails(recent),
        )


def _do_staff_see_users() -> bool:
    """Whether the group Staff still exists and its members may view users."""
    staff = [group for group in group_queries.all_groups() if group.name == group_queries.STAFF]
    return any(permission.codename == "view_user" for group in staff for permission in group.permissions)


def list_charts(number: int) -> list[Chart]:
    """The charts that the caller may see, of the last days, the current one included."""
    first = clock.today() - timedelta(days=number - 1)
    days = [first + timedelta(days=index) for index in range(number)]

    def series(counts: dict[date, int]) -> list[Bar]:
        return [Bar(day, counts.get(day, 0)) for day in days]

    charts = []
    if staff_auth.may("view", "user"):
        charts.append(
            Chart(
                _("New users"),
                series(daily_counts.count_users(first)),
                ngettext("No new users in %(num)s day.", "No new users in %(num)s days.", number),
                _("Users by the day they were created, including imported and seeded users."),
                {"joined_from": days[0].isoformat(), "joined_to": days[-1].isoformat()},
            )
        )
    if staff_auth.may("view", "session"):
        sign_ins = series(daily_counts.count_events("session.started", first))
        failed = series(daily_counts.count_events("sign_in.failed", first))
        charts.append(
            Chart(
                _("Sign-ins"), sign_ins, ngettext("No sign-ins in %(num)s day.", "No sign-ins in %(num)s days.", number)
            )
        )
        charts.append(
            Chart(
                _("Failed sign-ins"),
                failed,
                ngettext("No failed sign-ins in %(num)s day.", "No failed sign-ins in %(num)s days.", number),
            )
        )
    if staff_auth.may("view", "email"):
        sent = series(daily_counts.count_emails(first))
        charts.append(
            Chart(
                _("Emails sent"),
                sent,
                ngettext("No emails sent in %(num)s day.", "No emails sent in %(num)s days.", number),
            )
        )
    return charts
