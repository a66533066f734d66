"""Every text that users read is marked for translation.

Everything is said in a language made up for the purpose, which uses no ASCII letters: text that is still in English was
not marked for translation. `test_marked_texts.py` reads sources and templates.
"""

import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from string import ascii_letters
from typing import Any

import pytest
from flask import Flask
from flask_babel import Domain
from marshmallow import Schema, ValidationError

from tests.support.email_inbox import all_emails
from tests.support.factories import PASSWORD, make_user
from tests.support.form_browser import FormBrowser
from tests.support.texts import Words, problem_classes
from tests.support.translation_catalogs import source_messages
from userapi.audit.names import ACTIONS
from userapi.core import clock
from userapi.core.db import db
from userapi.core.i18n import format_short_day, get_offered_languages, translate_messages
from userapi.core.scopes import Scope
from userapi.invitations.schemas import STATES as INVITATION_STATES
from userapi.mail import emails
from userapi.users import declaration
from userapi.users.fields import PROFILE
from userapi.users.permission_names import EVERYTHING as PERMISSIONS
from userapi.users.schemas import ORDERINGS
from userapi.webhooks.schemas import REPLAYABLE, STATES

ACCENTED = str.maketrans(
    ascii_letters, "".join(chr(0x1D5BA + i) for i in range(26)) + "".join(chr(0x1D5A0 + i) for i in range(26))
)


def accented(text: str) -> str:
    """A text in the invented language; placeholders and tags stay unchanged."""
    parts = re.split(r"(%\(\w+\)[sd]|\{\w*\}|</?(?:a|em|strong)\b[^>]*>|&\w+;)", text)
    return "".join(part if index % 2 else part.translate(ACCENTED) for index, part in enumerate(parts))


class MadeUp:
    """The catalogue of the invented language, which has exactly the marked texts."""

    def ugettext(self, text: str) -> str:
        return accented(text) if text in source_messages() else text

    def ungettext(self, one: str, many: str, number: int) -> str:
        return accented(one if number == 1 else many) if one in source_messages() else one


@pytest.fixture
def invented_language(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show everything in the invented language, except the documentation of operations, which other tests read too."""
    assert app.test_client().get("/openapi.json").status_code == 200  # made once
    monkeypatch.setattr(Domain, "get_translations", lambda _domain: MadeUp())
    monkeypatch.setattr("userapi.browse.reference.get_locale", lambda: "invented")  # it is rendered once per language


def english(found: list[str], *data: str) -> list[str]:
    """The texts that still have English words, except data."""
    known = re.compile("|".join(map(re.escape, sorted(data, key=len, reverse=True))) or "(?!)")
    return [text for text in found if re.search("[A-Za-z]{2,}", known.sub("", text))]


def short_days(app: Flask) -> list[str]:
    """The last days as Babel writes them at the axes of charts."""
    with app.test_request_context():
        return [format_short_day(clock.today() - timedelta(days=days)) for days in range(31)]


OPEN_PAGES = (
    "/", "/login/", "/logout/", "/register/", "/password_reset/", "/password_reset/done/", "/reset/done/",
    "/reset/1/nothing/", "/verify-email/nothing/", "/verify-email/", "/verify-email/sent/", "/nothing/", "/docs/",
    "/docs/try/",
)  # fmt: skip
OWN_PAGES = (
    "/login/?next=/account/", "/logout/", "/password_change/", "/password_change/done/", "/account/", "/register/",
    "/account/security/", "/account/devices/", "/account/activity/", "/account/data/", "/account/security/app/",
)  # fmt: skip
STAFF_PAGES = (
    "", "users/", "users/?is_staff=true", "users/new/", "users/{id}/", "users/{id}/access/",
    "users/{id}/password/", "users/{id}/history/",
    "users/{id}/delete/", "groups/", "groups/new/", "users/{id}/sessions/",
    "users/{id}/emails/", "bulk/", "sessions/", "emails/", "emails/test/", "audit/", "audit/1/",
    "groups/1/", "groups/1/members/", "users/987654321/",
)  # fmt: skip


@pytest.mark.usefixtures("invented_language")
def test_no_page_shows_an_unmarked_text(app: Flask) -> None:
    make_user(app, email="wren@example.com", first_name="Wren", last_name="Okafor", is_staff=True, is_superuser=True)
    make_user(app, email="new@example.com", profile=None)
    someone, staff, newcomer = FormBrowser(app), FormBrowser(app), FormBrowser(app)
    assert staff.sign_in("wren@example.com").status_code == 303
    assert newcomer.sign_in("new@example.com").status_code == 303
    pages = {path: someone.get(path).text for path in OPEN_PAGES}
    pages["rejected"] = someone.send("/register/", {"email": "not-an-email", "password": "1", "profile.dob": "x"}).text
    pages["not signed in"] = someone.send("/login/", {"email": "unknown@example.com", "password": PASSWORD}).text
    pages["staff rejected"] = staff.send("/admin/users/new/", {"email": "not-an-email", "password1": "1"}).text
    pages |= {f"own {path}": staff.get(path).text for path in OWN_PAGES}
    pages["second step"] = newcomer.get("/register/profile/").text
    with app.app_context():
        number = db.session.connection().exec_driver_sql("SELECT min(id) FROM users").scalar_one()
    pages |= {f"staff {path}": staff.get(f"/admin/{path.format(id=number)}").text for path in STAFF_PAGES}

    data = (
        "wren@example.com",
        "new@example.com",
        "unknown@example.com",
        "not-an-email",
        "Wren",
        "Okafor",
        "Firefox",
        *("way", "password", "amr", "pwd"),  # what events record
        *VALUES,
    )
    data += ("in 1 hour", "in 1 day", "31 December 1990")  # Babel's texts for lifetimes and dates
    data += tuple(short_days(app))
    unmarked = {path: english(Words(page).found, *data) for path, page in pages.items()}

    assert all(len(Words(page).found) > 5 for page in pages.values())
    assert {path: texts for path, texts in unmarked.items() if texts} == {}


#: Stored data, identifiers, and texts that come with the language, such as the names of months.
VALUES = (
    "Ms",
    "SQLite",
    "PostgreSQL",
    "argon2id",
    "user.changed",
    "reset_password",
    "United Kingdom",
    "31 December 1990",
    "Staff",  # the name of the group
    *PERMISSIONS,
    *ACTIONS,
    f"{clock.now():%b}",
    f"{clock.now() - timedelta(days=13):%b}",
)

#: Example values for the variables in emails.
FACTS: dict[str, Any] = {
    "to": emails.Recipient("wren@example.com", "Wren"), "email": "wren@example.com",
    "link": "http://accounts.example.com/reset/7/t0ken/", "secret": "t0ken", "minutes": 60, "days": 7,
    "when": clock.now(), "ip": "203.0.113.5", "user_agent": "curl/8 Linux", "new_email": "other@elsewhere.example",
    "rights": ("is_staff", "is_superuser"), "inviter": "Wren", "user_id": None, "language": None,
    "expires_at": clock.now(), "revoked_keys": ["Wren (…7)"],
}  # fmt: skip

EMAILS = [
    function
    for name, function in inspect.getmembers(emails, inspect.isfunction)
    if name.startswith(("send_", "create_"))
]


@pytest.mark.usefixtures("invented_language")
@pytest.mark.parametrize("send", EMAILS)
def test_no_email_contains_an_unmarked_text(app: Flask, send: Any) -> None:
    with app.app_context():
        send(**{name: FACTS[name] for name in inspect.signature(send).parameters})
        db.session.commit()
    (sent_email,) = all_emails(app)

    month = f"{clock.now():%B}"
    data = (str(FACTS["link"]), "accounts.example.com", "Wren", "curl", "Linux", "example", month, " and ")

    assert english([sent_email.subject, *sent_email.text.split("\n"), *Words(sent_email.html).found], *data) == []


@pytest.mark.usefixtures("invented_language")
def test_no_problem_has_an_unmarked_text(app: Flask) -> None:
    with app.test_request_context():
        unmarked = {
            kind.__name__: english([str(kind.title), str(kind.detail)])
            for kind in problem_classes()
            if english([str(kind.title), str(kind.detail)])
        }

    assert len(list(problem_classes())) > 20
    assert unmarked == {}


def schemas(kind: type[Schema] = Schema) -> Iterator[type[Schema]]:
    """The schemas of the service, without those of profiles that tests declare: their options are data."""
    for schema in kind.__subclasses__():
        is_declared = schema.__module__ == declaration.__name__ and not set(schema._declared_fields) <= set(PROFILE)
        if schema.__module__.startswith("userapi.") and not is_declared:
            yield schema
            yield from schemas(schema)


NONSENSE = (None, "", " ", "x" * 5000, "\x00", "nonsense", -1, 1.5, 10**30, True, [], {}, {"nonsense": 1}, ["x"])


@pytest.mark.usefixtures("invented_language")
def test_every_field_error_is_marked(app: Flask) -> None:
    messages: set[str] = set()
    with app.test_request_context():
        for kind in schemas():
            schema = kind()
            for value in ({}, *({name: value} for name in schema.fields for value in NONSENSE)):
                try:
                    schema.load(value)
                except ValidationError as error:
                    messages |= set(flat(translate_messages(error.messages)))
        lists = [", ".join(names) for names in (Scope, STATES, REPLAYABLE, INVITATION_STATES)]
        choices = ("person, service, all", "password", "sign_in, prove, claim", "user", *lists)
        values = (*ORDERINGS, *get_offered_languages(), *choices)

    assert len(messages) > 20
    assert english(sorted(messages), *values) == []


def flat(messages: Any) -> list[str]:
    if isinstance(messages, dict):
        return [text for found in messages.values() for text in flat(found)]
    return [text for found in messages for text in flat(found)] if isinstance(messages, list) else [str(messages)]
