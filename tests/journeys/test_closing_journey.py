"""An owner closes the account, and restores it with the link from the email, with and without scripts."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.test_account_journey import WIDTHS, expect_page, open_section
from tests.support import commands
from tests.support.browser import Site
from tests.support.factories import PASSWORD, sequence

NEW_PASSWORD = "brittle harbour lantern 42"


@pytest.mark.parametrize(("width", "scripts"), [("desktop", True), ("phone", False)])
def test_W80_an_account_is_closed_and_restored(
    site: Site, watch: Callable[..., Any], width: str, scripts: bool
) -> None:
    email, shot = f"leaver{next(sequence)}@example.com", f"journey-closing-{width}"
    created = commands.run(
        *commands.FLASK, "users", "create", "--email", email, env=site.environment | {"USER_PASSWORD": PASSWORD}
    )
    assert created.code == 0, created.errors
    with watch(site.url, viewport=WIDTHS[width], java_script_enabled=scripts) as owner:
        page = owner.page
        owner.go("/login/")
        owner.fill(email=email, password=PASSWORD)
        owner.press("Sign in")
        open_section(owner, "Data")
        expect_page(owner, "Data", f"{shot}-data", scripts)
        page.get_by_role("link", name="Close your account…").click()
        expect_page(owner, "Close your account", f"{shot}-form", scripts)
        owner.fill(password=PASSWORD)
        owner.press("Close account")
        expect_page(owner, "Your account is closed", f"{shot}-closed", scripts)
        owner.go("/login/")
        owner.fill(email=email, password=PASSWORD)
        owner.press("Sign in")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")

        owner.go(site.link(email, "Your account will be deleted").removeprefix(site.url))
        expect_page(owner, "Restore your account", f"{shot}-restore", scripts)
        owner.fill(new_password1=NEW_PASSWORD, new_password2=NEW_PASSWORD)
        owner.press("Restore account")
        expect_page(owner, "Sign in", f"{shot}-restored", scripts)
        expect(page.get_by_role("status").first).to_contain_text("Your account has been restored.")
        expect(page.get_by_label("Email", exact=True)).to_have_value(email)
        owner.fill(password=NEW_PASSWORD)
        owner.press("Sign in")
        expect(page.get_by_role("heading", level=1)).to_have_text("Profile")
