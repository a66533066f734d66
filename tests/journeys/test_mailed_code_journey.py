"""Signing in with codes and links from emails, in a real browser."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import commands, http_server, servers
from tests.support.browser import PHONE, BrowserPage, Site

EMAIL, PASSWORD = "wren@example.com", "velvet tram outside 7"


@pytest.fixture(scope="module")
def link_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service whose sign-in emails have a code and a link."""
    folder = tmp_path_factory.mktemp("site")
    with servers.smtp_sink() as sink:
        mail = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "SIGN_IN_BY_MAIL": "link"}
        settings = {**mail, "RATELIMIT_ENABLED": "false", "WORKERS": "1"}
        environment = commands.environment(f"sqlite:///{folder}/site.db", folder, **settings)
        with http_server.run_server(folder, environment) as server:
            yield Site(server.url, sink, server.environment)


def email_text(site: Site, subject: str = "Your sign-in code") -> str:
    body = site.email(EMAIL, subject).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def check_look(browser: BrowserPage, name: str) -> None:
    browser.shoot(name)
    assert browser.violations() == [], name
    assert not browser.overflows(), name


def test_a_user_signs_in_by_code_and_by_link(watch: Callable[..., Any], link_site: Site) -> None:
    with watch(link_site.url) as page:
        page.go("/register/")
        page.fill(email=EMAIL, password=PASSWORD)
        page.press("Create account")
        page.page.wait_for_url("**/register/**")

    with watch(link_site.url, viewport=PHONE) as phone, watch(link_site.url, color_scheme="dark") as other:
        phone.go("/login/")
        check_look(phone, "code-sign-in-phone")
        phone.page.get_by_role("link", name="Email me a code").click()
        check_look(phone, "code-request-phone")
        phone.fill(email=EMAIL)
        phone.press("Send code")
        check_look(phone, "code-sent-phone")
        text = email_text(link_site)
        link = re.findall(r"http://\S+/sign-in/\S+/", text)[0]
        path = link.removeprefix(link_site.url)

        other.go(path)
        check_look(other, "code-link-elsewhere-dark")
        assert other.page.locator('input[name="code"]').is_visible()
        for button in other.page.get_by_role("button").all():  # as a scanner that runs scripts does
            button.click()

        phone.fill(code="00000000")
        phone.press("Sign in")
        check_look(phone, "code-wrong-phone")
        phone.go(path)
        check_look(phone, "code-link-phone")
        phone.press("Sign in")
        phone.page.wait_for_url("**/account/")
        check_look(phone, "code-claimed-phone")

        with sqlite3.connect(link_site.environment["DATABASE_URL"].removeprefix("sqlite:///")) as connection:
            connection.execute("UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00'")
        connection.close()
        phone.go("/prove/?next=/account/data/")
        check_look(phone, "code-proof-phone")
        phone.press("Send code")
        check_look(phone, "code-proof-sent-phone")
        phone.fill(code=email_text(link_site, "Your confirmation code")[:9])
        phone.press("Confirm")
        phone.page.wait_for_url("**/account/data/")

        assert [*phone.faults, *other.faults] == []

    with watch(link_site.url, viewport=PHONE, color_scheme="dark", locale="ar") as arabic:
        arabic.go("/login/code/?lang=ar")
        arabic.fill(email=EMAIL)
        arabic.page.locator("main button[type=submit]").first.click()
        check_look(arabic, "code-sent-arabic")
