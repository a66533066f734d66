"""Journeys with a second step in Chromium: losing the factors, having to set one up, and a reset by staff.

Each page is looked at in a wide and in a narrow window.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import DESKTOP, PHONE, BrowserPage
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_user
from tests.support.local_site import LocalSite, give_passkey, run_local_site
from tests.support.passkeys import add_passkey
from tests.support.password_reset import NEW_PASSWORD
from tests.support.second_factors import App, set_up_app
from tests.support.virtual_authenticator import VirtualAuthenticator


@pytest.fixture(scope="module")
def local_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSite]:
    """The service, which requires a second step of staff."""
    folder = tmp_path_factory.mktemp("second-steps")
    with run_local_site(folder, SECOND_STEP_REQUIRED_FOR="staff") as site:
        yield site


@pytest.fixture
def visitor(watch: Callable[..., Any], local_site: LocalSite) -> Iterator[BrowserPage]:
    """A browser whose sign-in page uses passkeys only when the button is pressed."""
    with watch(local_site.url) as browser:
        browser.page.add_init_script("delete PublicKeyCredential.isConditionalMediationAvailable")
        yield browser
        assert browser.faults == []


def look_at(visitor: BrowserPage, heading: str) -> None:
    """Wait for a page; it must be accessible, and fit into a wide and a narrow window."""
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text(heading)
    for size in (PHONE, DESKTOP):
        visitor.page.set_viewport_size(size)  # type: ignore[arg-type]
        visitor.shoot(f"second-step-{heading.lower().replace(' ', '-').partition('@')[0]}-{size['width']}")
        assert visitor.violations() == []
        assert not visitor.overflows()


def sign_in(visitor: BrowserPage, email: str, password: str = PASSWORD, path: str = "/login/") -> None:
    visitor.go(path)
    visitor.fill(email=email, password=password)
    visitor.press("Sign in")


def make_owner(site: LocalSite, email: str) -> tuple[int, list[str]]:
    """A user with an app and a passkey that no browser has; the id and the recovery codes."""
    user_id = make_user(site.app, email=email, email_verified=True)
    _phone, codes = set_up_app(site.app, user_id)
    add_passkey(site.app, user_id, origin=site.url)
    return user_id, codes


def remove(visitor: BrowserPage, place: str) -> None:
    visitor.page.locator(place).get_by_role("button", name="Remove").first.click()
    visitor.press("Continue")


def test_who_has_lost_app_and_passkey_comes_back_with_a_recovery_code(
    local_site: LocalSite, visitor: BrowserPage
) -> None:
    _id, codes = make_owner(local_site, email := "wren@example.com")
    virtual = VirtualAuthenticator(visitor.page)
    sign_in(visitor, email)
    look_at(visitor, "Confirm your sign-in")
    visitor.page.get_by_role("link", name="Use a recovery code").click()
    visitor.fill(code=codes[3])
    visitor.press("Sign in")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Profile")

    visitor.go("/account/security/")
    remove(visitor, "#passkeys")
    expect(visitor.page.locator("#passkeys li")).to_have_count(0)
    visitor.press("Add a passkey")
    expect(visitor.page.get_by_role("status")).to_contain_text("The passkey has been added.")

    visitor.page.context.clear_cookies()
    sign_in(visitor, email)
    visitor.page.get_by_label("Skip this step on this device").check()
    visitor.press("Use a passkey")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Profile")
    assert "device" in {cookie["name"] for cookie in visitor.page.context.cookies()}

    visitor.go("/account/security/")
    remove(visitor, "#two-step")
    expect(visitor.page.locator("#two-step li")).to_have_count(0)
    visitor.press("Create new recovery codes")
    visitor.press("Continue")
    look_at(visitor, "Your recovery codes")
    assert visitor.page.locator("#recovery-codes li").count() == 10
    visitor.press("I have saved them")
    look_at(visitor, "Security")

    visitor.page.context.clear_cookies()
    assert len(virtual.credentials) == 1
    visitor.go("/login/")
    visitor.press("Sign in with a passkey")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Profile")


def test_staff_set_up_a_second_step_at_their_first_sign_in_and_go_on_to_the_staff_site(
    local_site: LocalSite, visitor: BrowserPage
) -> None:
    make_user(local_site.app, email="new.staff@example.com", email_verified=True, is_staff=True, is_superuser=True)
    sign_in(visitor, "new.staff@example.com", path="/admin/")

    look_at(visitor, "Security")
    notice = visitor.page.locator(".notice").first
    expect(notice).to_contain_text("Your account requires two-step sign-in. Set it up to continue.")
    notice.get_by_role("link", name="Add an authenticator app").click()
    look_at(visitor, "Add an authenticator app")
    visitor.press("Continue")
    look_at(visitor, "Set up the app")
    visitor.page.get_by_text("Type the key instead").click()
    secret = visitor.page.locator(".secret-key").inner_text().replace(" ", "")
    visitor.fill(code=App(id=None, secret=secret).code())  # type: ignore[arg-type]
    visitor.press("Confirm")
    look_at(visitor, "Your recovery codes")
    visitor.press("I have saved them")

    visitor.page.get_by_role("link", name="Staff site").click()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_staff_reset_the_factors_of_a_user_who_comes_back_by_email(
    local_site: LocalSite, visitor: BrowserPage, watch: Callable[..., Any]
) -> None:
    user_id, _codes = make_owner(local_site, email := "otis@example.com")
    staff_id = make_user(local_site.app, email_verified=True, is_staff=True, is_superuser=True)
    give_passkey(local_site, visitor, staff_id)
    visitor.go(f"/login/?next=/admin/users/{user_id}/factors/")
    visitor.press("Sign in with a passkey")

    look_at(visitor, email)
    visitor.fill(reason="Lost the phone, ticket 4711")
    visitor.press("Reset second factors")
    expect(visitor.page.get_by_role("status")).to_contain_text(f"All second factors of {email} were removed.")
    look_at(visitor, email)

    link = emails_to(local_site.app, email, "reset_password")[0].link
    with watch(local_site.url) as owner:
        owner.page.goto(link)
        owner.fill(new_password1=NEW_PASSWORD, new_password2=NEW_PASSWORD)
        owner.press("Set password")
        sign_in(owner, email, NEW_PASSWORD)
        expect(owner.page.get_by_role("heading", level=1)).to_have_text("Profile")
        owner.go("/account/security/")
        expect(owner.page.locator("#two-step h2")).to_contain_text("Off")
