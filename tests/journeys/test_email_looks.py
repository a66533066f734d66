"""Emails in a browser, as a mail program shows them: readable on phones, in both modes and both directions."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.accessibility import CONTRAST
from tests.support.browser import DESKTOP
from userapi.mail.samples import SENDERS, create_sample

#: As long as real tokens.
TOKEN = "Zk3v-9QmZ_t7Rw2LpY8sUe5HbN4cJ6aGxW1dFo0iTqE"


@pytest.fixture
def emails_of(make_app: Callable[..., Flask]) -> Callable[..., dict[str, str]]:
    """The HTML of a sample of every kind of email of a site with these settings, by kind."""

    def emails_of(language: str, **settings: str) -> dict[str, str]:
        app = make_app(SITE_URL="https://accounts.a-rather-long-name.example.com", **settings)
        with app.app_context():
            samples = {kind: str(create_sample(kind, language).html) for kind in SENDERS}
        return {kind: html.replace("/sample/", f"/{TOKEN}/") for kind, html in samples.items()}

    return emails_of


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"SITE_NAME": "Fisher & Sons <Shop>", "SITE_COLOR": "#facc15", "SUPPORT_EMAIL": "help@example.com"}],
    ids=["default", "own"],
)
def test_emails_fit_a_phone_and_are_accessible(
    watch: Callable[..., Any], emails_of: Callable[..., dict[str, str]], language: str, settings: dict[str, str]
) -> None:
    with watch("https://accounts.example.com") as mail_program:
        for kind, html in emails_of(language, **settings).items():
            mail_program.page.set_content(html)
            for scheme in ("light", "dark"):
                mail_program.page.emulate_media(color_scheme=scheme)
                mail_program.page.set_viewport_size(DESKTOP)
                # Of all rules, only that of contrast depends on the color scheme.
                assert mail_program.violations(only=[CONTRAST] if scheme == "dark" else []) == [], (kind, scheme)
                for width in (600, 320):
                    mail_program.page.set_viewport_size({"width": width, "height": 700})
                    assert not mail_program.overflows(), (kind, scheme, width)
                if kind == "reset_password":
                    mail_program.shoot(f"email-{kind}-{language}-{scheme}-{'own' if settings else 'default'}")


def test_an_email_stays_readable_without_its_style_sheet(
    watch: Callable[..., Any], emails_of: Callable[..., dict[str, str]]
) -> None:
    html = emails_of("en", SITE_COLOR="#facc15")["reset_password"]
    before, rest = html.split("<style>")
    with watch("https://accounts.example.com", color_scheme="dark") as mail_program:
        mail_program.page.set_content(before + rest.split("</style>")[1])

        assert mail_program.violations() == []
        button = mail_program.page.get_by_role("link", name="Choose a new password")
        assert button.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(250, 204, 21)"
