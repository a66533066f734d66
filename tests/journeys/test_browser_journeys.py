"""Journeys of account owners in a real browser, with real HTTP and real emails; each saves screenshots."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from tests.support.browser import PHONE, BrowserPage, Site
from tests.support.factories import PASSWORD, new_user, sequence

NEW_PASSWORD = "copper lantern 41 drift"

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Mobile/15E148 Safari/604.1"
)


def create_account(site: Site) -> str:
    """Register an account; return its email address."""
    wanted = new_user(email=f"journey{next(sequence)}@example.com")
    assert requests.post(f"{site.url}/userapi/users/", json=wanted, timeout=10).status_code == 201
    return str(wanted["email"])


def access_token(site: Site, email: str) -> str:
    """Sign in over the API; return the access token."""
    response = requests.post(f"{site.url}/api-token-auth/", json={"email": email, "password": PASSWORD}, timeout=10)
    return str(response.json()["access_token"])


def is_active(site: Site, token: str) -> bool:
    """Whether the session of an access token has not ended."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{site.url}/userapi/auth/user/", headers=headers, timeout=10).status_code == 200


def sign_in(browser: BrowserPage, email: str, password: str = PASSWORD) -> None:
    browser.go("/login/")
    browser.fill(email=email, password=password)
    browser.press("Sign in")


def expect_heading(browser: BrowserPage, text: str) -> None:
    expect(browser.page.get_by_role("heading", level=1)).to_have_text(text)


def click_in_an_email(browser: BrowserPage, link: str) -> None:
    """Follow a link from a page of another site, such as webmail."""
    browser.page.goto(f'data:text/html,<a href="{link}">open</a>')
    browser.page.get_by_role("link", name="open").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_register_and_confirm_by_email(site: Site, watch: Callable[..., Any], scripts: bool) -> None:
    email = f"newcomer{next(sequence)}@example.com"
    with watch(site.url, java_script_enabled=scripts) as visitor:
        visitor.go("/")
        visitor.page.get_by_role("link", name="Register").click()
        visitor.fill(email=email, password=PASSWORD)
        visitor.press("Create account")
        expect(visitor.page.get_by_role("status")).to_contain_text(
            "Your account has been created and you are signed in."
        )
        visitor.shoot("journey-register-1-opened")
        visitor.fill(first_name="Wren", profile__title="Ms", profile__dob="1990-12-10", profile__city="Bath")
        visitor.fill(profile__address="12 Pulteney Street", profile__zip="BA2 4", profile__country="United Kingdom")
        visitor.press("Save and continue")
        expect_heading(visitor, "Profile")

        click_in_an_email(visitor, site.link(email, "Confirm your email address"))
        expect_heading(visitor, "Confirm your email address")
        expect(visitor.page.locator("main")).to_contain_text(f"Confirm that {email} is your email address.")
        visitor.shoot("journey-register-2-link")
        visitor.press("Confirm email address")
        expect(visitor.page.get_by_role("status")).to_have_text("Your email address has been confirmed.")

        expect_heading(visitor, "Security")
        expect(visitor.page.locator("main")).to_contain_text(
            f"You sign in with {email}. This email address is confirmed."
        )
        visitor.shoot("journey-register-3-confirmed")
        assert visitor.faults == []


def test_resetting_a_forgotten_password_by_email_ends_every_other_session(
    site: Site, visitor: BrowserPage, watch: Callable[..., Any]
) -> None:
    email = create_account(site)
    program = access_token(site, email)
    with watch(site.url) as other:
        sign_in(other, email)
        expect_heading(other, "Profile")

        visitor.go("/login/")
        visitor.page.get_by_role("link", name="Forgot your password?").click()
        visitor.fill(email=email)
        visitor.press("Send link")
        expect_heading(visitor, "Check your email")
        visitor.shoot("journey-reset-1-requested")
        assert is_active(site, program)
        link = site.link(email, "Reset your password")
        click_in_an_email(visitor, link)
        expect_heading(visitor, "Set a new password")
        assert link.rstrip("/").rpartition("/")[2] not in visitor.page.url
        visitor.shoot("journey-reset-2-form")
        visitor.fill(new_password1=NEW_PASSWORD, new_password2=NEW_PASSWORD)
        visitor.press("Set password")
        expect_heading(visitor, "Your password has been changed")
        visitor.shoot("journey-reset-3-done")

        assert not is_active(site, program)
        other.go("/account/")
        expect_heading(other, "Sign in")
    sign_in(visitor, email)
    expect(visitor.page.get_by_role("alert")).to_have_text("Wrong email or password.")
    sign_in(visitor, email, NEW_PASSWORD)
    expect_heading(visitor, "Profile")
    site.email(email, "Your password was changed")


def test_change_the_email_address(site: Site, visitor: BrowserPage) -> None:
    old, new = create_account(site), f"moved{next(sequence)}@example.com"
    sign_in(visitor, old)
    visitor.page.get_by_role("link", name="Security").click()

    visitor.page.locator("summary").get_by_text("Change email address").click()
    visitor.fill(email=new)
    visitor.press("Change email address")
    expect(visitor.page.get_by_role("status")).to_contain_text("until then your email address stays the same.")
    expect(visitor.page.locator("main")).to_contain_text(f"You sign in with {old}")
    visitor.shoot("journey-email-1-requested")
    click_in_an_email(visitor, site.link(new, "Confirm your new email address"))
    visitor.press("Confirm email address")

    expect(visitor.page.locator("main")).to_contain_text(f"You sign in with {new}. This email address is confirmed.")
    visitor.shoot("journey-email-2-changed")
    site.email(old, "Your email address was changed")


def test_end_a_session_from_the_list(site: Site, visitor: BrowserPage, watch: Callable[..., Any]) -> None:
    email = create_account(site)
    with watch(site.url, user_agent=IPHONE, viewport=PHONE) as phone:
        sign_in(phone, email)
        expect_heading(phone, "Profile")
        sign_in(visitor, email)
        visitor.page.get_by_role("link", name="Devices").click()
        visitor.shoot("journey-sessions-1-list")

        row = visitor.page.get_by_role("listitem").filter(has_text="Safari on iOS")
        row.get_by_role("button", name="End").click()
        visitor.press("Continue")

        expect(visitor.page.get_by_role("status")).to_have_text("The session has ended.")
        expect(row).to_have_count(0)
        visitor.shoot("journey-sessions-2-ended")
        phone.go("/account/")
        expect_heading(phone, "Sign in")
        visitor.go("/account/")
        expect_heading(visitor, "Profile")


def test_sign_out_and_in_again(site: Site, visitor: BrowserPage) -> None:
    email = create_account(site)
    visitor.go("/account/")
    visitor.fill(email=email, password=PASSWORD)
    visitor.press("Sign in")
    expect_heading(visitor, "Profile")

    visitor.press("Sign out")
    expect_heading(visitor, "Signed out")
    visitor.shoot("journey-sign-out")
    assert visitor.page.context.cookies() == []
    visitor.page.go_back()
    expect(visitor.page.locator("main")).not_to_contain_text(email)
    sign_in(visitor, email)

    expect_heading(visitor, "Profile")


def test_everything_can_be_done_with_the_keyboard(site: Site, visitor: BrowserPage) -> None:
    email = create_account(site)
    visitor.go("/login/")
    keyboard = visitor.page.keyboard

    def focused() -> str:
        return str(visitor.page.evaluate("document.activeElement.innerText || document.activeElement.id"))

    keyboard.press("Tab")
    assert focused() == "Skip to content"
    visitor.shoot("journey-keyboard-1-skip")
    keyboard.press("Enter")
    keyboard.press("Tab")
    assert focused() == "email"
    keyboard.type(email)
    keyboard.press("Tab")
    keyboard.type("wrong password 7")
    keyboard.press("Enter")

    expect(visitor.page.get_by_role("alert")).to_be_focused()
    visitor.shoot("journey-keyboard-2-rejected")
    keyboard.press("Tab")
    assert focused() == "email"
    keyboard.press("Tab")
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    expect_heading(visitor, "Profile")


def test_the_error_summary_leads_to_the_field(site: Site, visitor: BrowserPage) -> None:
    sign_in(visitor, create_account(site))

    city = visitor.page.get_by_label("City")
    city.evaluate("input => input.removeAttribute('required')")
    city.fill("")
    visitor.press("Save profile")

    expect(visitor.page).to_have_title("Error: Profile · User accounts")
    visitor.page.get_by_role("alert").get_by_role("link", name="City").press("Enter")
    expect(city).to_be_focused()
    expect(city).to_have_attribute("aria-invalid", "true")
    expect(city).to_have_accessible_description("This field is required.")


def test_leaving_unsaved_changes_warns_and_saving_does_not(site: Site, visitor: BrowserPage) -> None:
    page, warnings = visitor.page, []
    page.on("dialog", lambda dialog: (warnings.append(dialog.type), dialog.dismiss()))
    sign_in(visitor, create_account(site))
    page.get_by_label("First name").click()
    page.keyboard.type("Robin")

    page.get_by_role("link", name="Security").click()
    expect(page.get_by_label("First name")).to_have_value(re.compile("Robin"))
    assert warnings == ["beforeunload"]
    visitor.press("Save profile")

    expect(page.get_by_role("status")).to_have_text("Your changes have been saved.")
    page.get_by_role("link", name="Security").click()
    expect_heading(visitor, "Security")
    assert warnings == ["beforeunload"]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_what_was_typed_is_kept_when_the_session_ends(site: Site, watch: Callable[..., Any], scripts: bool) -> None:
    email = create_account(site)
    with watch(site.url, java_script_enabled=scripts) as visitor:
        sign_in(visitor, email)
        visitor.fill(profile__address="A long new address I typed")
        headers = {"Authorization": f"Bearer {access_token(site, email)}"}
        requests.delete(f"{site.url}/userapi/auth/sessions/", headers=headers, timeout=10)

        visitor.press("Save profile")
        expect(visitor.page.get_by_role("status")).to_have_text("Your session has ended. Sign in to continue.")
        visitor.shoot("journey-ended-1-sign-in")
        visitor.fill(email=email, password=PASSWORD)
        visitor.press("Sign in")

        expect(visitor.page.get_by_role("status")).to_contain_text("This is what you typed")
        expect(visitor.page.get_by_label("Address", exact=True)).to_have_value("A long new address I typed")
        visitor.shoot("journey-ended-2-given-back")
        visitor.press("Save profile")
        expect(visitor.page.get_by_role("status")).to_have_text("Your changes have been saved.")


def test_the_link_to_the_old_email_address_undoes_a_stolen_account(site: Site, visitor: BrowserPage) -> None:
    old, new = create_account(site), f"thief{next(sequence)}@example.com"
    click_in_an_email(visitor, site.link(old, "Confirm your email address"))
    visitor.press("Confirm email address")
    sign_in(visitor, old)
    visitor.page.get_by_role("link", name="Security").click()
    visitor.page.locator("summary").get_by_text("Change email address").click()
    visitor.fill(email=new)
    visitor.press("Change email address")
    click_in_an_email(visitor, site.link(new, "Confirm your new email address"))
    visitor.press("Confirm email address")
    expect_heading(visitor, "Security")

    click_in_an_email(visitor, site.link(old, "Your email address was changed"))
    expect_heading(visitor, "Undo the email address change")
    visitor.shoot("journey-undo-1-link")
    assert visitor.violations() == []
    visitor.press("Undo the change")

    expect_heading(visitor, "Your email address has been restored")
    visitor.shoot("journey-undo-2-done")
    assert visitor.violations() == []
    click_in_an_email(visitor, site.link(old, "Reset your password"))
    visitor.fill(new_password1=NEW_PASSWORD, new_password2=NEW_PASSWORD)
    visitor.press("Set password")
    sign_in(visitor, old, NEW_PASSWORD)
    visitor.go("/account/security/")
    expect(visitor.page.locator("main")).to_contain_text(f"You sign in with {old}. This email address is confirmed.")
