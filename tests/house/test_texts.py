"""Every text that users read is marked for translation.

Sources and templates are read for sentences that are not marked. Then everything is said in a language made up for the
purpose, which uses no ASCII letters: text that is still in English was not marked for translation.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from string import ascii_letters
from typing import Any

import pytest
from flask import Flask
from flask_babel import Domain
from jinja2 import Environment, nodes
from marshmallow import Schema, ValidationError

import config
from tests.support.email_inbox import all_emails
from tests.support.factories import PASSWORD, make_user
from tests.support.form_browser import FormBrowser
from tests.support.translation_catalogs import source_messages
from userapi.audit.names import ACTIONS
from userapi.core import clock
from userapi.core.db import db
from userapi.core.i18n import format_short_day, get_offered_languages, translate_messages
from userapi.core.problems import Problem
from userapi.mail import emails
from userapi.users.permissions import EVERYTHING as PERMISSIONS
from userapi.users.schemas import ORDERINGS

TEMPLATES = config.ROOT / "userapi" / "templates"

#: Calls whose arguments are shown to users.
SPEAKERS = {
    "echo", "ClickException", "UsageError", "BadParameter", "prompt", "confirm", "fail", "print", "flash",
    "ValidationError", "exit",
}  # fmt: skip

#: Calls that mark a text for translation.
ASKERS = {"_", "gettext", "ngettext", "pgettext", "lazy_gettext", "lazy_ngettext", "lazy_pgettext"}

#: Two words, or one with a capital: a text, not an identifier.
TEXT = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z]{2,}|^[A-Z][a-z]+\b")

#: Texts about settings are for operators, and in English like the settings and the documents.
OF_A_SETTING = re.compile(r"^(?:userapi: )?[A-Z][A-Z_]+(?:, [A-Z][A-Z_]+)*:? ")
OF_SETTINGS = ("setting_checks.py", "passkey_settings.py", "environment.py", "site_logo.py")

SPOKEN_ATTRIBUTES = (
    "aria-label",
    "placeholder",
    "title",
    "alt",
    "data-confirm",
    "data-count",
    "data-failed",
    "data-label",
)

#: Parts of templates that are not shown as they are, and the block with a class name.
OF_JINJA = re.compile(
    r"\{% block width %\}\w+|\{%-? trans\b.*?endtrans -?%\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL
)

#: The rest of an attribute that a template stores in a variable to use it twice.
ATTRIBUTE = re.compile(r'[a-z-]*="[a-z -]*"|required|disabled|data-nullable')

#: Elements whose contents are code, or in a fixed language.
SILENT = ("script", "style", "code", "time")


def problem_classes(kind: type[Problem] = Problem) -> Iterator[type[Problem]]:
    for problem_class in kind.__subclasses__():
        yield problem_class
        yield from problem_classes(problem_class)


def literals(node: ast.AST) -> Iterator[str]:
    """The unmarked texts under a node, without field names."""
    if isinstance(node, ast.Call) and name_of(node) in ASKERS:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "…".join(part.value for part in node.values if isinstance(part, ast.Constant))
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from literals(value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from literals(child)


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def spoken(tree: ast.AST) -> Iterator[str]:
    """The unmarked texts in a module that users read."""
    speakers = SPEAKERS | {problem_class.__name__ for problem_class in problem_classes()} | {"Problem"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node) in speakers:
            shown = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "headers")]
            yield from (text for part in shown for text in literals(part))
        elif isinstance(node, ast.Dict):
            detail = [value for key, value in zip(node.keys, node.values, strict=True) if is_constant(key, "detail")]
            yield from (text for value in detail for text in literals(value))
        elif isinstance(node, ast.ClassDef):
            for line in node.body:
                is_shown = isinstance(line, ast.Assign) and getattr(line.targets[0], "id", "") in ("title", "detail")
                if is_shown and not isinstance(line.value, ast.Call):  # a call marks a text, or creates a field
                    yield from literals(line.value)


def is_constant(node: ast.AST | None, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def test_no_module_shows_an_unmarked_text() -> None:
    sources = sorted((config.ROOT / "userapi").rglob("*.py"))
    unmarked = [
        f"{path.relative_to(config.ROOT)}: {text}"
        for path in sources
        if path.name not in OF_SETTINGS
        for text in spoken(ast.parse(path.read_text()))
        if TEXT.search(text) and not OF_A_SETTING.search(text)
    ]

    assert len(sources) > 100
    assert unmarked == []


class Words(HTMLParser):
    """The texts on a page, including attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if self.silent or tag in SILENT or (tag != "html" and "lang" in named):
            if tag not in ("input", "meta", "link", "br", "hr"):
                self.silent.append(tag)
            return
        self.found += [named[name] or "" for name in SPOKEN_ATTRIBUTES if name in named]

    def handle_endtag(self, tag: str) -> None:
        if self.silent and self.silent[-1] == tag:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(data.strip())


def constants(node: nodes.Node) -> Iterator[str]:
    """The unmarked texts in the expressions of a template."""
    if isinstance(node, nodes.Call) and getattr(node.node, "name", "") in ASKERS:
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    for child in node.iter_child_nodes():
        yield from constants(child)


def test_no_template_contains_an_unmarked_text(app: Flask) -> None:
    environment: Environment = app.jinja_env
    unmarked = []
    templates = sorted(TEMPLATES.rglob("*.*"))
    for path in templates:
        source = path.read_text()
        bare = OF_JINJA.sub("", source)
        parts = Words(bare).found if path.suffix == ".html" else bare.split("\n")
        expressions = constants(environment.parse(source))
        texts = [
            *(part for part in parts if re.search("[A-Za-z]{2,}", ATTRIBUTE.sub("", part))),
            *filter(TEXT.search, expressions),
        ]
        unmarked += [f"{path.relative_to(TEMPLATES)}: {text}" for text in texts]

    assert len(templates) > 50
    assert unmarked == []


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
def invented_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show everything in the invented language."""
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
    "expires_at": clock.now(),
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
    for schema in kind.__subclasses__():
        if schema.__module__.startswith("userapi."):
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
        values = (*ORDERINGS, *get_offered_languages(), "password")

    assert len(messages) > 20
    assert english(sorted(messages), *values) == []


def flat(messages: Any) -> list[str]:
    if isinstance(messages, dict):
        return [text for found in messages.values() for text in flat(found)]
    return [text for found in messages for text in flat(found)] if isinstance(messages, list) else [str(messages)]
