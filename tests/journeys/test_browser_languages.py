"""Pages in other languages in a real browser: read from right to left, longer words, and the switch between them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import commands
from tests.support.browser import BrowserPage, Site
from tests.support.factories import PASSWORD
from tests.support.screens import ACCOUNT_PAGES, LOOKS, PUBLIC_PAGES, check_page, register_account

PAGES_OF_THE_API = {"index": "/userapi/", "refusal": "/userapi/auth/user/"}

STAFF_PAGES = {
    "overview": "/admin/", "users": "/admin/users/", "new-user": "/admin/users/new/", "user": "/admin/users/1/",
    "password": "/admin/users/1/password/", "groups": "/admin/groups/new/", "sessions": "/admin/sessions/",
    "emails": "/admin/emails/", "audit": "/admin/audit/",
}  # fmt: skip


def choose(someone: BrowserPage, name: str) -> None:
    someone.page.get_by_role("link", name=name, exact=True).click()


def sign_in(someone: BrowserPage, email: str, password: str = PASSWORD) -> None:
    someone.go("/login/")
    someone.fill(email=email, password=password)
    someone.page.locator("main form button").click()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(("language", "name", "direction"), [("ar", "العربية", "rtl"), ("de", "Deutsch", "ltr")])
def test_every_page_is_accessible_and_fits_in_another_language(
    language: str, name: str, direction: str, look: str, site: Site, watch: Callable[..., Any]
) -> None:
    with watch(site.url, **LOOKS[look]) as someone:
        email = register_account(someone)
        choose(someone, name)
        assert someone.page.evaluate("[document.documentElement.lang, document.dir]") == [language, direction]
        for page, path in {**PUBLIC_PAGES, **PAGES_OF_THE_API}.items():
            someone.go(path)
            check_page(someone, f"{look}-{language}-{page}")
        someone.go("/login/")
        someone.fill(email="nobody@example.com", password="1")
        someone.page.locator("main form button").click()
        check_page(someone, f"{look}-{language}-refused")
        sign_in(someone, email)
        for page, path in ACCOUNT_PAGES.items():
            someone.go(path)
            check_page(someone, f"{look}-{language}-{page}")

        assert someone.faults == []


@pytest.mark.parametrize("look", LOOKS)
def test_the_staff_site_is_accessible_and_fits_from_right_to_left(
    look: str, site: Site, watch: Callable[..., Any]
) -> None:
    boss = f"boss-{look}@example.com"
    command = (*commands.FLASK, "users", "create-superuser", "--email", boss, "--password-stdin")
    assert commands.run(*command, env=site.environment, stdin=f"{PASSWORD}\n").code == 0
    with watch(site.url, locale="ar-EG", **LOOKS[look]) as someone:
        sign_in(someone, boss)
        for page, path in STAFF_PAGES.items():
            someone.go(path)
            assert someone.page.evaluate("document.dir") == "rtl"
            check_page(someone, f"{look}-ar-staff-{page}")
        someone.go("/admin/users/")
        someone.page.locator("input[name=user]").first.check()
        assert someone.page.locator("[data-count]").inner_text() == "المحدد: 1"

        assert someone.faults == []
