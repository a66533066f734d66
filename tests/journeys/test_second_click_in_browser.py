"""A second click on a button in a real browser while the first request is running (F20)."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import BrowserPage, Site
from tests.support.factories import PASSWORD, sequence

#: Clicks a button twice. Returns whether each click would have sent the form, and whether the button is busy.
TWO_CLICKS = """button => {
    const sent = [];
    window.addEventListener("submit", (event) => {
        sent.push(!event.defaultPrevented);
        event.preventDefault();
    });
    button.click();
    button.click();
    return [sent, button.getAttribute("aria-busy")];
}"""


def test_a_button_is_busy_and_its_form_is_sent_once(visitor: BrowserPage) -> None:
    visitor.go("/password_reset/")
    visitor.fill(email="wren@example.com")

    assert visitor.page.locator("main form button[type=submit]").evaluate(TWO_CLICKS) == [[True, False], "true"]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_two_clicks_on_register_create_one_account(site: Site, watch: Callable[..., Any], scripts: bool) -> None:
    email = f"clicker{next(sequence)}@example.com"
    with watch(site.url, java_script_enabled=scripts) as visitor:
        visitor.go("/register/")
        visitor.fill(email=email, password=PASSWORD)
        visitor.page.get_by_role("button", name="Create account").dblclick()

        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("About you")
        visitor.go("/account/devices/")
        expect(visitor.page.locator("ul.rows li")).to_have_count(1)
