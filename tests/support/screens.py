"""Pages in a real browser: opening them, and checking each with axe-core and for its width."""

from tests.support.browser import DESKTOP, PHONE, BrowserPage
from tests.support.factories import PASSWORD, sequence

#: The paths of the public pages, by name.
PUBLIC_PAGES = {
    "front": "/",
    "login": "/login/",
    "signed-out": "/logout/",
    "register": "/register/",
    "password-reset": "/password_reset/",
    "password-reset-done": "/password_reset/done/",
    "reset-done": "/reset/done/",
    "invalid-reset-link": "/reset/1/nothing/",
    "verify-email": "/verify-email/nothing/",
    "verification-request": "/verify-email/",
    "verification-sent": "/verify-email/sent/",
    "invalid-undo-link": "/undo-email-change/nothing/",
    "undo-email-change-done": "/undo-email-change/done/",
    "not-found": "/nothing/",
}


#: The pages that need a session.
ACCOUNT_PAGES = {
    "register-signed-in": "/register/",
    "login-signed-in": "/login/?next=/account/",
    "logout": "/logout/",
    "password-change": "/password_change/",
    "password-change-done": "/password_change/done/",
    "account": "/account/",
    "security": "/account/security/",
    "devices": "/account/devices/",
    "activity": "/account/activity/",
    "data": "/account/data/",
}


LOOKS = {
    "desktop": {"viewport": DESKTOP, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}


def register_account(browser: BrowserPage) -> str:
    """Register an account with a long email address. Returns the address."""
    email = f"looks{next(sequence)}.with.a.rather.long.name.before.the.at.sign@department.example.com"
    browser.go("/register/")
    browser.fill(email=email, password=PASSWORD)
    browser.press("Create account")
    browser.fill(first_name="Wren", last_name="Okafor", profile__title="Ms", profile__dob="1990-12-10")
    browser.fill(profile__address="12 Pulteney Street", profile__zip="BA2 4", profile__city="Bath")
    browser.fill(profile__country="United Kingdom")
    browser.press("Save and continue")
    return email


def sign_in_by_form(browser: BrowserPage, email: str, password: str = PASSWORD) -> None:
    browser.go("/login/")
    browser.fill(email=email, password=password)
    browser.press("Sign in")


def check_page(browser: BrowserPage, name: str) -> None:
    """Save a screenshot, and check the page with axe-core and for its width."""
    browser.shoot(name)

    assert browser.violations() == [], name
    assert not browser.overflows(), name
