"""From the registration to the sign-out through every page of the account, with and without scripts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import BrowserPage, Site
from tests.support.factories import PASSWORD, sequence

WIDTHS = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 320, "height": 800}}


def expect_page(browser: BrowserPage, heading: str, name: str, scripts: bool) -> None:
    """Check the heading of a page, its accessibility and its width; these two need scripts."""
    expect(browser.page.get_by_role("heading", level=1)).to_have_text(heading)
    browser.shoot(name)
    if scripts:
        assert browser.violations() == [], heading
        assert not browser.overflows(), heading


def open_section(browser: BrowserPage, name: str) -> None:
    browser.page.get_by_role("navigation", name="Your account").get_by_role("link", name=name).click()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("width", WIDTHS)
def test_from_the_registration_to_the_sign_out(
    site: Site, watch: Callable[..., Any], tmp_path: Path, width: str, scripts: bool
) -> None:
    email, shot = f"traveller{next(sequence)}@example.com", f"journey-account-{width}-{scripts}"
    size = WIDTHS[width]
    with (
        watch(site.url, viewport=size, java_script_enabled=scripts) as visitor,
        watch(site.url, user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Safari/604.1") as phone,
    ):
        page = visitor.page
        visitor.go("/")
        expect_page(visitor, "Welcome", f"{shot}-front", scripts)
        page.get_by_role("link", name="Register").click()
        visitor.fill(email=email, password="12345678")
        if scripts:
            expect(page.get_by_role("status")).to_contain_text("Contains only digits.")
        expect_page(visitor, "Register", f"{shot}-step-1", scripts)
        visitor.press("Create account")
        expect(page.locator("#password-error")).to_contain_text("Contains only digits.")
        expect(page.get_by_label("Email", exact=True)).to_have_value(email)
        visitor.fill(password=PASSWORD)
        visitor.press("Create account")

        expect_page(visitor, "About you", f"{shot}-step-2", scripts)
        visitor.fill(first_name="Wren", profile__city="Bath")
        visitor.page.locator("form").last.evaluate("form => { form.noValidate = true }") if scripts else None
        visitor.press("Save and continue")
        expect_page(visitor, "About you", f"{shot}-step-2-rejected", scripts)
        visitor.fill(profile__title="Ms", profile__dob="1990-12-10", profile__country="United Kingdom")
        visitor.fill(profile__address="12 Pulteney Street", profile__zip="BA2 4")
        visitor.press("Save and continue")
        expect_page(visitor, "Profile", f"{shot}-profile", scripts)
        expect(page.get_by_label("City")).to_have_value("Bath")

        open_section(visitor, "Security")
        expect_page(visitor, "Security", f"{shot}-security", scripts)
        phone.go("/login/")
        phone.fill(email=email, password=PASSWORD)
        phone.press("Sign in")
        open_section(visitor, "Devices")
        expect_page(visitor, "Devices", f"{shot}-devices", scripts)
        expect(page.locator("ul.rows li").filter(has_text="Safari on iOS")).to_have_count(1)
        visitor.press("End session")
        if scripts:
            visitor.shoot(f"{shot}-end-session")
            visitor.press("Continue")
        expect(page.get_by_role("status")).to_have_text("The session has ended.")

        open_section(visitor, "Activity")
        expect_page(visitor, "Activity", f"{shot}-activity", scripts)
        expect(page.locator("ul.rows li strong").first).to_have_text("Session ended")
        open_section(visitor, "Data")
        expect_page(visitor, "Data", f"{shot}-data", scripts)
        with page.expect_download() as download:
            visitor.press("Download")
        download.value.save_as(tmp_path / "data.json")
        assert json.loads((tmp_path / "data.json").read_text())["user"]["email"] == email

        visitor.press("Sign out")
        expect_page(visitor, "Signed out", f"{shot}-signed-out", scripts)
        visitor.go("/account/activity/")
        expect_page(visitor, "Sign in", f"{shot}-sign-in", scripts)
        assert visitor.faults == phone.faults == []
