"""Languages in a real browser: the menu of languages, and what scripts write. `test_look_of_pages.py` has the rest."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.browser import BrowserPage
from tests.support.product_pages import Product


@pytest.mark.parametrize(("language", "name", "direction"), [("ar", "العربية", "rtl"), ("de", "Deutsch", "ltr")])
def test_a_language_is_chosen_in_the_menu_and_kept(
    look: Callable[..., Any], product: Product, language: str, name: str, direction: str
) -> None:
    browser: BrowserPage
    with look("visitor") as browser:
        browser.go("/register/")
        menu = browser.page.get_by_role("navigation", name="Language")
        menu.locator("summary").click()
        menu.get_by_role("link", name=name, exact=True).click()
        browser.go("/login/")

        assert browser.page.evaluate("[document.documentElement.lang, document.dir]") == [language, direction]
        assert browser.faults == []


def test_selected_users_are_counted_in_the_language_of_the_page(look: Callable[..., Any], product: Product) -> None:
    browser: BrowserPage
    with look("staff", locale="ar-EG") as browser:
        browser.go("/admin/users/")
        browser.page.locator("input[name=user]").first.check()

        assert browser.page.locator("[data-count]").inner_text() == "المحدد: 1"
        assert browser.faults == []
