"""Checks of a page in a real browser."""

from tests.support.browser import BrowserPage


def check_page(browser: BrowserPage, name: str) -> None:
    """Save a screenshot, and check the page with axe-core and for its width."""
    browser.shoot(name)

    assert browser.violations() == [], name
    assert not browser.overflows(), name
