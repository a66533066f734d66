"""Pages in other languages in a real browser: right to left, longer words, and the language menu."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import commands
from tests.support.browser import BrowserPage, Site
from tests.support.factories import PASSWORD
from tests.support.screens import ACCOUNT_PAGES, LOOKS, PUBLIC_PAGES, check_page, register_account

PAGES_OF_THE_API = {"index": "/userapi/", "error": "/userapi/auth/user/"}

STAFF_PAGES = {
    "overview": "/admin/", "users": "/admin/users/", "new-user": "/admin/users/new/", "user": "/admin/users/1/",
    "password": "/admin/users/1/password/", "groups": "/admin/groups/new/", "sessions": "/admin/sessions/",
    "emails": "/admin/emails/", "audit": "/admin/audit/",
}  # fmt: skip


def choose(browser: BrowserPage, name: str) -> None:
    """Choose a language in the menu of the footer."""
    browser.page.locator("nav.languages summary").click()
    browser.page.get_by_role("link", name=name, exact=True).click()


def sign_in(browser: BrowserPage, email: str, password: str = PASSWORD) -> None:
    browser.go("/login/")
    browser.fill(email=email, password=password)
    browser.page.locator("main form button[type=submit]").click()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(("language", "name", "direction"), [("ar", "العربية", "rtl"), ("de", "Deutsch", "ltr")])
def test_every_page_is_accessible_and_fits_the_screen_in_another_language(
    language: str, name: str, direction: str, look: str, site: Site, watch: Callable[..., Any]
) -> None:
    with watch(site.url, **LOOKS[look]) as browser:
        email = register_account(browser)
        choose(browser, name)
        assert browser.page.evaluate("[document.documentElement.lang, document.dir]") == [language, direction]
        for page, path in {**PUBLIC_PAGES, **PAGES_OF_THE_API}.items():
            browser.go(path)
            check_page(browser, f"{look}-{language}-{page}")
        browser.go("/login/")
        browser.fill(email="unknown@example.com", password="1")
        browser.page.locator("main form button[type=submit]").click()
        check_page(browser, f"{look}-{language}-rejected")
        sign_in(browser, email)
        for page, path in ACCOUNT_PAGES.items():
            browser.go(path)
            check_page(browser, f"{look}-{language}-{page}")

        assert browser.faults == []


@pytest.mark.parametrize("look", LOOKS)
def test_the_staff_site_is_accessible_and_fits_the_screen_from_right_to_left(
    look: str, site: Site, watch: Callable[..., Any]
) -> None:
    superuser = f"superuser-{look}@example.com"
    command = (*commands.FLASK, "users", "create-superuser", "--email", superuser, "--password-stdin")
    assert commands.run(*command, env=site.environment, stdin=f"{PASSWORD}\n").code == 0
    with watch(site.url, locale="ar-EG", **LOOKS[look]) as browser:
        sign_in(browser, superuser)
        for page, path in STAFF_PAGES.items():
            browser.go(path)
            assert browser.page.evaluate("document.dir") == "rtl"
            check_page(browser, f"{look}-ar-staff-{page}")
        browser.go("/admin/users/")
        browser.page.locator("input[name=user]").first.check()
        assert browser.page.locator("[data-count]").inner_text() == "المحدد: 1"

        assert browser.faults == []
