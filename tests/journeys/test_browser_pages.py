"""Every page in a real browser is accessible, on a phone and a desktop, in light and dark."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.browser import Site
from tests.support.screens import ACCOUNT_PAGES, LOOKS, PUBLIC_PAGES, check_page, register_account, sign_in_by_form


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible_and_fits_the_screen(look: str, site: Site, watch: Callable[..., Any]) -> None:
    with watch(site.url, **LOOKS[look]) as browser:
        for name, path in PUBLIC_PAGES.items():
            browser.go(path)
            check_page(browser, f"{look}-{name}")
        email = register_account(browser)
        check_page(browser, f"{look}-registered")
        with watch(site.url, user_agent="Mozilla/5.0 (iPhone) Safari/605.1") as elsewhere:
            sign_in_by_form(elsewhere, email)
        sign_in_by_form(browser, email)
        for name, path in ACCOUNT_PAGES.items():
            browser.go(path)
            check_page(browser, f"{look}-{name}")

        assert browser.faults == []


@pytest.mark.parametrize("look", LOOKS)
def test_rejected_forms_are_accessible_and_fit_the_screen(look: str, site: Site, watch: Callable[..., Any]) -> None:
    with watch(site.url, **LOOKS[look]) as browser:
        sign_in_by_form(browser, "unknown@example.com")
        check_page(browser, f"{look}-login-rejected")
        browser.go("/register/")
        browser.page.locator("form").evaluate("form => { form.noValidate = true }")
        browser.fill(email="invalid", password="1")
        browser.press("Create account")
        check_page(browser, f"{look}-register-rejected")

        assert browser.faults == []
