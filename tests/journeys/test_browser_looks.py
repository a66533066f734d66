"""Every page in a real browser: readable by everybody, from a phone to a desk, by day and by night."""

from collections.abc import Callable
from typing import Any

import pytest
from factories import PASSWORD, numbers
from watching import DESKTOP, PHONE, Site, Watched

pytestmark = pytest.mark.unmeasured

#: Name → address of the pages that anyone may see.
OPEN_PAGES = {
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

#: Those that want a session.
OWN_PAGES = {
    "front-signed-in": "/",
    "login-signed-in": "/login/?next=/account/",
    "logout": "/logout/",
    "password-change": "/password_change/",
    "password-change-done": "/password_change/done/",
    "account": "/account/",
}

LOOKS = {
    "desk": {"viewport": DESKTOP, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}


def register(someone: Watched) -> str:
    """Open an account with a name as long as it may be; the address."""
    email = f"looks{next(numbers)}.with.a.rather.long.name.before.the.at.sign@department.example.com"
    someone.go("/register/")
    someone.fill(email=email, password=PASSWORD, first_name="Wren", last_name="Okafor")
    someone.fill(profile__title="Ms", profile__dob="1990-12-10", profile__address="12 Pulteney Street")
    someone.fill(profile__zip="BA2 4", profile__city="Bath", profile__country="United Kingdom")
    someone.press("Register")
    return email


def sign_in(someone: Watched, email: str, password: str = PASSWORD) -> None:
    someone.go("/login/")
    someone.fill(email=email, password=password)
    someone.press("Sign in")


def look_at(someone: Watched, name: str) -> None:
    """Keep a picture, and hold the page against axe-core and its width."""
    someone.shoot(name)

    assert someone.violations() == [], name
    assert not someone.overflows(), name


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible_and_fits(look: str, site: Site, watch: Callable[..., Any]) -> None:
    with watch(site.url, **LOOKS[look]) as someone:
        for name, path in OPEN_PAGES.items():
            someone.go(path)
            look_at(someone, f"{look}-{name}")
        email = register(someone)
        look_at(someone, f"{look}-registered")
        with watch(site.url, user_agent="Mozilla/5.0 (iPhone) Safari/605.1") as elsewhere:
            sign_in(elsewhere, email)
        sign_in(someone, email)
        for name, path in OWN_PAGES.items():
            someone.go(path)
            look_at(someone, f"{look}-{name}")

        assert someone.faults == []


@pytest.mark.parametrize("look", LOOKS)
def test_refused_forms_are_accessible_and_fit(look: str, site: Site, watch: Callable[..., Any]) -> None:
    with watch(site.url, **LOOKS[look]) as someone:
        sign_in(someone, "nobody@example.com")
        look_at(someone, f"{look}-login-refused")
        someone.go("/register/")
        someone.page.locator("form").evaluate("form => { form.noValidate = true }")
        someone.fill(email="nobody", password="1", profile__title="Ms")
        someone.press("Register")
        look_at(someone, f"{look}-register-refused")

        assert someone.faults == []
