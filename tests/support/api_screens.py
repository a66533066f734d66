"""Pages of the API in a real browser: signing in, filling in forms, and their responses."""

import pytest
import requests
from playwright.sync_api import expect

from tests.support import commands
from tests.support.browser import BrowserPage, Site
from tests.support.factories import PASSWORD, new_user, sequence

USERS = "/userapi/users/"


def create_account(site: Site) -> str:
    """Register an account; return its email address."""
    wanted = new_user(email=f"reader{next(sequence)}@example.com")
    assert requests.post(f"{site.url}{USERS}", json=wanted, timeout=10).status_code == 201
    return str(wanted["email"])


def sign_in(browser: BrowserPage, email: str) -> None:
    """Sign in with the link on a page of the API, which leads back to that page."""
    browser.page.locator("#caller").get_by_role("link", name="Sign in").click()
    browser.fill(email=email, password=PASSWORD)
    browser.press("Sign in")
    expect(browser.page.locator("#caller")).to_contain_text(email)


def type_in(browser: BrowserPage, form: str, **fields: str) -> None:
    """Fill in inputs of one form, named as in the form but with `__` for the dot."""
    for name, text in fields.items():
        browser.page.locator(f'#{form} input[name="{name.replace("__", ".")}"]').fill(text)


def send(browser: BrowserPage, form: str) -> None:
    """Send a form and wait for the response. The page may show the same status of an earlier one."""
    browser.page.locator(f"#{form} form > .buttons > [type=submit]").click()
    expect(browser.page.locator("button[aria-busy]")).to_have_count(0)


def expect_response(browser: BrowserPage, text: str) -> None:
    expect(browser.page.locator("#answer h2")).to_have_text(text)


@pytest.fixture(scope="module")
def staff_email(site: Site) -> str:
    """The email address of a superuser."""
    email = f"superuser{next(sequence)}@example.com"
    made = commands.run(
        *commands.FLASK, "users", "create-superuser", "--email", email, "--password-stdin",
        env=site.environment, stdin=PASSWORD,
    )  # fmt: skip
    assert made.code == 0, made.errors
    return email
