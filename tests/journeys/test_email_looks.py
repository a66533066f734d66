"""Emails in a browser, as a mail program shows them: readable on phones, in both modes and both directions."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from userapi.mail.samples import SENDERS, create_sample

#: As long as real tokens.
TOKEN = "Zk3v-9QmZ_t7Rw2LpY8sUe5HbN4cJ6aGxW1dFo0iTqE"


@pytest.fixture
def html_of(make_app: Callable[..., Flask]) -> Callable[..., str]:
    """The HTML of a sample email of a site with these settings."""

    def html_of(kind: str, language: str, **settings: str) -> str:
        app = make_app(SITE_URL="https://accounts.a-rather-long-name.example.com", **settings)
        with app.app_context():
            html = str(create_sample(kind, language).html)
        return html.replace("/sample/", f"/{TOKEN}/")

    return html_of


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"SITE_NAME": "Fisher & Sons <Shop>", "SITE_COLOR": "#facc15", "SUPPORT_EMAIL": "help@example.com"}],
    ids=["default", "own"],
)
def test_emails_fit_a_phone_and_are_accessible(
    watch: Callable[..., Any], html_of: Callable[..., str], scheme: str, language: str, settings: dict[str, str]
) -> None:
    app_html = {kind: html_of(kind, language, **settings) for kind in SENDERS}
    with watch("https://accounts.example.com", color_scheme=scheme) as mail_program:
        for kind, html in app_html.items():
            mail_program.page.set_content(html)
            assert mail_program.violations() == [], kind
            for width in (600, 320):
                mail_program.page.set_viewport_size({"width": width, "height": 700})
                assert not mail_program.overflows(), (kind, width)
            if kind == "reset_password":
                mail_program.shoot(f"email-{kind}-{language}-{scheme}-{'own' if settings else 'default'}")


def test_an_email_stays_readable_without_its_style_sheet(
    watch: Callable[..., Any], html_of: Callable[..., str]
) -> None:
    html = html_of("reset_password", "en", SITE_COLOR="#facc15")
    before, rest = html.split("<style>")
    with watch("https://accounts.example.com", color_scheme="dark") as mail_program:
        mail_program.page.set_content(before + rest.split("</style>")[1])

        assert mail_program.violations() == []
        button = mail_program.page.get_by_role("link", name="Choose a new password")
        assert button.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(250, 204, 21)"
