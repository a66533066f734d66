"""Journeys with passkeys in Chromium, with its virtual authenticator, at http://localhost."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import DESKTOP, PHONE, BrowserPage
from tests.support.factories import PASSWORD, make_account, make_user
from tests.support.local_site import LocalSite, give_passkey, run_local_site
from tests.support.sql import execute_sql
from tests.support.virtual_authenticator import VirtualAuthenticator

SIZES = pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])


@pytest.fixture(scope="module")
def local_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSite]:
    """The service at a host name, as passkeys need it."""
    with run_local_site(tmp_path_factory.mktemp("passkeys")) as site:
        yield site


def make_account_with_passkey(site: LocalSite, browser: BrowserPage, **changes: Any) -> VirtualAuthenticator:
    """A user with a passkey that the virtual authenticator of the page has too; `changes` are those of its options."""
    user_id = make_user(site.app, email_verified=True, first_name="Wren", last_name="Okafor")
    return give_passkey(site, browser, user_id, **changes)


def expect_account_page(browser: BrowserPage) -> None:
    expect(browser.page.get_by_role("heading", level=1)).to_have_text("Profile")
    expect(browser.page.locator(".identity")).to_contain_text("Wren Okafor")


@SIZES
def test_S90_the_button_signs_in_with_a_passkey(
    local_site: LocalSite, watch: Callable[..., Any], viewport: dict[str, int]
) -> None:
    with watch(local_site.url, viewport=viewport) as visitor:
        make_account_with_passkey(local_site, visitor)
        visitor.page.add_init_script("delete PublicKeyCredential.isConditionalMediationAvailable")
        visitor.go("/login/")
        expect(visitor.page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
        visitor.shoot(f"passkey-sign-in-{viewport['width']}")
        assert visitor.violations() == []
        assert not visitor.overflows()
        visitor.press("Sign in with a passkey")

        expect_account_page(visitor)
        assert visitor.faults == []


def test_S90_the_sign_in_page_offers_passkeys_in_the_email_field(
    local_site: LocalSite, watch: Callable[..., Any]
) -> None:
    with watch(local_site.url) as visitor:
        make_account_with_passkey(local_site, visitor)
        visitor.go("/login/?next=/account/devices/")

        # The virtual authenticator responds to the request of the email field by itself.
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Devices")
        assert visitor.faults == []


def test_S90_a_passkey_that_is_not_accepted_leaves_the_password_form(
    local_site: LocalSite, watch: Callable[..., Any]
) -> None:
    with watch(local_site.url) as visitor:
        virtual = make_account_with_passkey(local_site, visitor)
        virtual.call("setResponseOverrideBits", isBogusSignature=True)
        visitor.page.add_init_script("delete PublicKeyCredential.isConditionalMediationAvailable")
        visitor.go("/login/")
        visitor.press("Sign in with a passkey")

        expect(visitor.page.get_by_role("alert").first).to_contain_text("This passkey was not accepted.")
        expect(visitor.page.get_by_label("Password", exact=True)).to_be_visible()
        virtual.call("setResponseOverrideBits", isBogusSignature=False)
        visitor.press("Sign in with a passkey")
        expect_account_page(visitor)


def test_S90_cancelling_says_nothing_and_the_button_works_again(
    local_site: LocalSite, watch: Callable[..., Any]
) -> None:
    with watch(local_site.url) as visitor:
        virtual = make_account_with_passkey(local_site, visitor)
        virtual.call("setUserVerified", isUserVerified=False)  # the request fails as if it was cancelled
        visitor.page.add_init_script("delete PublicKeyCredential.isConditionalMediationAvailable")
        visitor.go("/login/")
        visitor.press("Sign in with a passkey")
        visitor.page.wait_for_timeout(500)

        assert visitor.page.get_by_role("alert").all() == []
        virtual.call("setUserVerified", isUserVerified=True)
        visitor.press("Sign in with a passkey")
        expect_account_page(visitor)


#: Records requests for passkeys. The email field's waits as if its user ignored it, and the button's fails.
FAILING_BUTTON = """
navigator.credentials.get = ({ mediation, signal }) => new Promise((_resolve, reject) => {
  const { dataset } = document.documentElement;
  dataset.requested = `${dataset.requested ?? ""} ${mediation ?? "button"}`.trim();
  signal?.addEventListener("abort", () => reject(signal.reason));
  if (!mediation) reject(new DOMException("", "%s"));
});
"""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("NotAllowedError", ""),  # cancelled, or no response in time
        ("SecurityError", "can only be used at http://localhost"),
        ("UnknownError", "That did not work. Try again."),
    ],
)
def test_S90_after_an_error_the_email_field_offers_passkeys_again(
    local_site: LocalSite, watch: Callable[..., Any], error: str, text: str
) -> None:
    with watch(local_site.url) as visitor:
        VirtualAuthenticator(visitor.page)
        visitor.page.add_init_script(FAILING_BUTTON % error)
        visitor.go("/login/")
        requested = visitor.page.locator("html")
        expect(requested).to_have_attribute("data-requested", "conditional")
        visitor.press("Sign in with a passkey")

        expect(requested).to_have_attribute("data-requested", "conditional button conditional")
        if text:
            expect(visitor.page.get_by_role("alert")).to_contain_text(text)
        else:
            assert visitor.page.get_by_role("alert").all() == []
        expect(visitor.page.get_by_label("Password", exact=True)).to_be_visible()


def test_S90_at_another_address_the_page_says_where_passkeys_can_be_used(
    local_site: LocalSite, watch: Callable[..., Any]
) -> None:
    elsewhere = local_site.url.replace("localhost", "127.0.0.1")
    with watch(elsewhere) as visitor:
        VirtualAuthenticator(visitor.page)
        visitor.go("/login/")
        visitor.press("Sign in with a passkey")

        expect(visitor.page.get_by_role("alert")).to_contain_text(f"can only be used at {local_site.url}")


def test_S89_without_scripts_the_password_form_is_complete(local_site: LocalSite, watch: Callable[..., Any]) -> None:
    with watch(local_site.url, java_script_enabled=False) as visitor:
        visitor.go("/login/")

        expect(visitor.page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        expect(visitor.page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()


def sign_in_by_password(browser: BrowserPage, email: str) -> None:
    browser.page.add_init_script("delete PublicKeyCredential.isConditionalMediationAvailable")
    browser.go("/login/")
    browser.fill(email=email, password=PASSWORD)
    browser.press("Sign in")


@SIZES
def test_S89_a_passkey_is_added_used_as_second_step_and_as_proof_and_removed(
    local_site: LocalSite, watch: Callable[..., Any], viewport: dict[str, int]
) -> None:
    email = make_account(local_site.app, email_verified=True, first_name="Wren", last_name="Okafor")
    width = viewport["width"]
    with watch(local_site.url, viewport=viewport) as visitor:
        virtual = VirtualAuthenticator(visitor.page)
        sign_in_by_password(visitor, email)
        visitor.go("/account/security/")
        visitor.shoot(f"passkey-security-1-{width}")
        visitor.press("Add a passkey")

        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
        assert len(virtual.credentials) == 1
        visitor.press("I have saved them")
        expect(visitor.page.locator("#passkeys li")).to_have_count(1)
        expect(visitor.page.locator("#two-step h2")).to_contain_text("On")
        visitor.shoot(f"passkey-security-2-{width}")
        assert visitor.violations() == []
        assert not visitor.overflows()

        visitor.page.context.clear_cookies()
        sign_in_by_password(visitor, email)
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Confirm your sign-in")
        visitor.shoot(f"passkey-second-step-{width}")
        assert visitor.violations() == []
        assert not visitor.overflows()
        visitor.press("Use a passkey")
        expect_account_page(visitor)

        execute_sql(local_site.app, "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00'")
        visitor.go("/account/security/")
        visitor.press("Add a passkey")
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
        visitor.shoot(f"passkey-prove-{width}")
        assert visitor.violations() == []
        visitor.press("Use a passkey")
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Security")

        visitor.press("Add a passkey")
        expect(visitor.page.get_by_role("alert")).to_have_text("This device has a passkey for your account already.")
        visitor.page.locator("#passkeys").get_by_role("button", name="Remove").click()
        visitor.press("Continue")
        expect(visitor.page.get_by_role("status")).to_contain_text("The passkey has been removed.")
        expect(visitor.page.locator("#passkeys li")).to_have_count(0)
        assert virtual.credentials == []  # the page named the remaining passkeys to the browser
        assert visitor.faults == []
