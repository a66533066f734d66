"""Pages of the API in a real browser are accessible on every screen."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.api_screens import USERS, create_account, expect_response, send, sign_in, type_in
from tests.support.browser import DESKTOP, PHONE, BrowserPage, Site

LOOKS = {
    "desktop": {"viewport": DESKTOP, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}


@pytest.fixture(params=LOOKS)
def look_and_browser(
    request: pytest.FixtureRequest, site: Site, watch: Callable[..., Any]
) -> Iterator[tuple[str, BrowserPage]]:
    """A browser on a desktop or a phone, with a light or dark color scheme."""
    with watch(site.url, **LOOKS[request.param]) as browser:
        yield request.param, browser
        assert browser.faults == []


def test_open_forms_and_mistakes_are_accessible_and_fit_the_screen(
    site: Site, look_and_browser: tuple[str, BrowserPage], staff_email: str
) -> None:
    look, browser = look_and_browser
    email = create_account(site)

    def look_at(name: str) -> None:
        browser.shoot(f"browse-{look}-{name}")
        assert browser.violations() == [], name
        assert not browser.overflows(), name

    browser.go(f"{USERS}?limit=2&count=true")
    sign_in(browser, staff_email)
    browser.go(f"{USERS}?search={email}")
    browser.page.locator("#json").get_by_role("link").first.click()
    expect(browser.page.locator("#json")).to_contain_text(email)
    browser.page.get_by_text("Methods and responses").click()
    look_at("user")
    type_in(browser, "patch", profile__zip="TOO LONG", first_name="x" * 160)
    send(browser, "patch")
    expect_response(browser, "400 Bad Request")
    look_at("mistake")
    browser.page.locator("#patch").get_by_role("tab", name="Raw JSON").click()
    look_at("raw")
    browser.page.locator("#delete > summary").click()
    browser.page.locator("#delete").get_by_role("button", name="DELETE").click()
    browser.wait_until_still()  # the dialog fades in
    look_at("delete")


def test_english_descriptions_keep_their_own_direction_on_an_arabic_page(site: Site, visitor: BrowserPage) -> None:
    """F18: from right to left, the full stop of an English sentence would be shown at its beginning."""
    visitor.go(f"{USERS}?lang=ar")
    texts = visitor.page.locator("p.description").all()

    styles = [text.evaluate("p => [getComputedStyle(p).direction, getComputedStyle(p).unicodeBidi]") for text in texts]
    assert styles
    assert styles == [["rtl", "plaintext"]] * len(texts)
