"""What needs a person: findings of the health checks, failed emails, and unusually many failed sign-ins."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from userapi.core import clock, i18n
from userapi.health import checks, report
from userapi.health.findings import Finding, Level
from userapi.mfa import requirement_queries

from . import daily_counts, queries, staff_auth

#: The parts and the states of the health checks.
PARTS = {
    "database": lazy_gettext("Database"),
    "migrations": lazy_gettext("Database schema"),
    "keys": lazy_gettext("Signing keys"),
    "disk": lazy_gettext("Disk"),
    "email": lazy_gettext("Email delivery"),
    "worker": lazy_gettext("Background jobs"),
    "notices": lazy_gettext("Notices to extensions and other services"),
    "redis": lazy_gettext("Rate limits (Redis)"),
    "profile fields": lazy_gettext("Profile fields"),
}
STATES = {
    "ok": lazy_gettext("OK"),
    "almost full": lazy_gettext("Almost full"),
    "delayed": lazy_gettext("Delayed"),
    "disk full": lazy_gettext("Disk full"),
    "incomplete": lazy_gettext("Incomplete"),
    "failed": lazy_gettext("Failed"),
    "low": lazy_gettext("Low"),
    "missing": lazy_gettext("Missing"),
    "not configured": lazy_gettext("Not configured"),
    "pending": lazy_gettext("Migration pending"),
    "stopped": lazy_gettext("Stopped"),
    "unknown": lazy_gettext("Unknown"),
    "unreachable": lazy_gettext("Unreachable"),
}


#: Failed sign-ins of a day are a spike if there are at least so many, and so many times as many as on an average day of
#: the week before.
MIN_FAILED = 20
SPIKE = 3
WEEK = 7


class Item(NamedTuple):
    """Something that needs a person.

    Attributes:
        level: its severity.
        title: what it is about.
        text: what was found and what to do.
        url, link: where to look or act, and the words for it; empty if there is no such page for the caller.
        is_english: whether the text is for operators and not translated.
    """

    level: Level
    title: str
    text: Any
    url: str = ""
    link: str = ""
    is_english: bool = False


def find(failed_emails: int) -> Iterator[Item]:
    """What the caller may see of what needs attention, errors first.

    Args:
        failed_emails: their number, counted up to `queries.MAX_COUNTED`.
    """
    found = report.run() if staff_auth.is_superuser() else checks.run()
    items = [_from_finding(finding) for finding in found if finding.level != Level.OK]
    items += [*_failed_emails(failed_emails), *_failed_sign_ins(), *_staff_without_second_step()]
    yield from sorted(items, key=lambda item: item.level != Level.ERROR)


def _from_finding(finding: Finding) -> Item:
    if finding.part not in PARTS:  # one of those that only superusers see
        return Item(finding.level, finding.part.capitalize(), finding.text, *_system_link(), is_english=True)
    title = f"{PARTS[finding.part]}: {STATES.get(finding.state, finding.state)}"
    if finding.part == "email" and staff_auth.may("view", "email"):
        link = (url_for("staff_emails.show_list", state="due"), _("View queued emails"))
    else:
        link = _system_link()
    text = finding.explanation
    if not link[0]:
        text += " " + _("Tell the people who operate this site.")
    return Item(finding.level, title, text, *link)


def _system_link() -> tuple[str, str]:
    return (url_for("staff_system.show_list"), _("View system checks")) if staff_auth.is_superuser() else ("", "")


def _failed_emails(number: int) -> Iterator[Item]:
    if number and staff_auth.may("view", "email"):
        shown = f"{i18n.format_number(number)}{'+' if number == queries.MAX_COUNTED else ''}"
        title = ngettext("%(number)s failed email", "%(number)s failed emails", number, number=shown)
        text = _("The last error of each email says why. Retry it after the cause is fixed.")
        url = url_for("staff_emails.show_list", state="failed")
        yield Item(Level.WARNING, title, text, url, _("View failed emails"))


def _failed_sign_ins() -> Iterator[Item]:
    if not staff_auth.may("view", "session"):
        return
    today = clock.today()
    counts = daily_counts.count_events("sign_in.failed", today - timedelta(days=WEEK))
    number = counts.pop(today, 0)
    usual = sum(counts.values()) / WEEK
    if number < max(MIN_FAILED, SPIKE * usual):
        return
    title = ngettext(
        "%(number)s failed sign-in today", "%(number)s failed sign-ins today", number, number=i18n.format_number(number)
    )
    text = _(
        "Last week there were %(usual)s per day. Many failures from one IP address, or for one user, can be an attack.",
        usual=i18n.format_number(round(usual)),
    )
    url = url_for("staff_audit.show_list", action="sign_in.failed", since=today.isoformat())
    link = (url, _("View failed sign-ins")) if staff_auth.may("view", "event") else ("", "")
    yield Item(Level.WARNING, title, text, *link)


def _staff_without_second_step() -> Iterator[Item]:
    """For those who can require a second step, or ask staff to set it up."""
    if not staff_auth.is_superuser():
        return
    number = requirement_queries.count_staff().without
    if not number:
        return
    title = ngettext(
        "%(number)s staff member without two-step sign-in",
        "%(number)s staff members without two-step sign-in",
        number,
        number=i18n.format_number(number),
    )
    text = _(
        "A stolen password is enough to sign in to such an account. "
        "Its owner can set up two-step sign-in on the security page."
    )
    link = (url_for("staff_users.show_list", is_staff="true", is_active="true", second_step="none"), _("View staff"))
    yield Item(Level.WARNING, title, text, *link)
