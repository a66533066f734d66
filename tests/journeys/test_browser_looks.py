"""Every page in a real browser: readable by everybody, from a phone to a desk, by day and by night."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.browser import Site
from tests.support.screens import ACCOUNT_PAGES, LOOKS, PUBLIC_PAGES, check_page, register_account, sign_in_by_form


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible_and_fits(look: str, site: Site, watch: Callable[..., Any]) -> None:
    with watch(site.url, **LOOKS[look]) as someone:
        for name, path in PUBLIC_PAGES.items():
            someone.go(path)
            check_page(someone, f"{look}-{name}")
        email = register_account(someone)
        check_page(someone, f"{look}-registered")
        with watch(site.url, user_agent="Mozilla/5.0 (iPhone) Safari/605.1") as elsewhere:
            sign_in_by_form(elsewhere, email)
        sign_in_by_form(someone, email)
        for name, path in ACCOUNT_PAGES.items():
            someone.go(path)
            check_page(someone, f"{look}-{name}")

        assert someone.faults == []


@pytest.mark.parametrize("look", LOOKS)
def test_refused_forms_are_accessible_and_fit(look: str, site: Site, watch: Callable[..., Any]) -> None:
    with watch(site.url, **LOOKS[look]) as someone:
        sign_in_by_form(someone, "nobody@example.com")
        check_page(someone, f"{look}-login-refused")
        someone.go("/register/")
        someone.page.locator("form").evaluate("form => { form.noValidate = true }")
        someone.fill(email="nobody", password="1", profile__title="Ms")
        someone.press("Register")
        check_page(someone, f"{look}-register-refused")

        assert someone.faults == []
