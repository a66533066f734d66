"""The interactive documentation in a real browser."""

import json
import re
import threading
from collections.abc import Iterator
from typing import Literal

import pytest
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, expect
from werkzeug.serving import make_server

from tests.support.api_client import ApiUser
from tests.support.browser import BrowserPage
from tests.support.factories import PASSWORD
from tests.support.screens import check_page


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """The URL of the application, served over HTTP."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def watched(chromium: Browser, site: str) -> Iterator[BrowserPage]:
    """A new page that records its errors."""
    context = chromium.new_context()
    yield BrowserPage(context.new_page(), site)
    context.close()


def test_H02_the_docs_show_every_operation_under_the_policy_and_load_nothing_from_other_sites(
    app: Flask, watched: BrowserPage, site: str
) -> None:
    document = app.test_client().get("/openapi.json").get_json()
    operations = sum(len(item.keys() - {"parameters"}) for item in document["paths"].values())

    response = watched.page.goto(f"{site}/docs/try/")

    expect(watched.page.locator(".opblock")).to_have_count(operations)
    assert response is not None
    assert "unsafe" not in response.headers["content-security-policy"]
    assert watched.console_errors == []
    assert watched.elsewhere == []


def test_a_script_of_another_site_would_break_the_policy(watched: BrowserPage, site: str) -> None:
    watched.page.goto(f"{site}/docs/try/")
    expect(watched.page.locator(".opblock").first).to_be_visible()

    with watched.page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        watched.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")

    assert watched.page.evaluate("window.ran") is None


def test_a_reader_signs_in_and_tries_calls(watched: BrowserPage, site: str, user: ApiUser) -> None:
    page = watched.page
    page.goto(f"{site}/docs/try/")
    signing_in = page.locator("#operations-tokens-obtain_tokens")
    signing_in.locator(".opblock-summary-control").click()
    signing_in.locator("textarea").fill(json.dumps({"email": user.email, "password": user.password}))
    signing_in.get_by_role("button", name="Execute").click()
    shown_response = signing_in.locator(".live-responses-table .highlight-code").first
    expect(shown_response).to_contain_text("access_token")
    token = json.loads(shown_response.locator("code").inner_text())["access_token"]
    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".auth-container", has_text="bearer (http, Bearer)")
    dialog.get_by_label("auth-bearer-value").fill(token)
    dialog.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").first.click()

    reading = page.locator("#operations-users-read_user")
    reading.locator(".opblock-summary-control").click()
    reading.get_by_placeholder("user_id").fill(str(user.id))
    reading.get_by_role("button", name="Execute").click()

    expect(reading.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    expect(reading.locator(".live-responses-table .highlight-code").first).to_contain_text(user.email)
    assert watched.console_errors == []
    assert watched.elsewhere == []


#: What Swagger UI says of the `_` in the names of our operations, whose links work and will go on working.
DEEP_LINK_WARNING = "Deprecated: escaping deep link whitespace with `_`"


def opened(page: Page, operation: str) -> Locator:
    """Open an operation and its "Try it out" form."""
    found = page.locator(f"#operations-{operation}")
    found.locator(".opblock-summary-control").click()
    return found


def expect_status(operation: Locator, status: str) -> None:
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_contain_text(status)


def test_a_reader_authorizes_with_email_and_password_and_stays_authorized(
    watched: BrowserPage, site: str, user: ApiUser
) -> None:
    page = watched.page
    page.goto(f"{site}/docs/try/")
    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".auth-container", has=page.get_by_label("username:"))
    dialog.get_by_label("username:").fill(user.email)
    dialog.get_by_label("password:", exact=True).fill(user.password)
    dialog.locator("button.authorize").click()
    expect(page.get_by_role("heading", name="Authorized")).to_be_visible()
    stored = page.evaluate("JSON.stringify(localStorage)")
    assert "access_token" in stored
    assert user.password not in stored
    assert "refresh_token" not in stored
    page.reload()

    reading = opened(page, "auth-read_me")
    expect_status(reading, "200")

    expect(reading.locator(".live-responses-table .highlight-code").first).to_contain_text(user.email)
    assert watched.console_errors == []


def test_a_user_signed_in_with_cookies_can_send_changes(watched: BrowserPage, site: str, user: ApiUser) -> None:
    page = watched.page
    page.goto(f"{site}/login/?next=/docs/try/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator(".opblock").first).to_be_visible()

    editing = opened(page, "auth-edit_me")
    editing.locator("textarea").fill('{"first_name": "Odile"}')
    expect_status(editing, "200")

    assert user.get("/userapi/auth/user/").get_json()["first_name"] == "Odile"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_open_operation_is_accessible_and_fits_in_the_color_scheme(
    chromium: Browser, site: str, scheme: Literal["light", "dark"]
) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 375, "height": 900})
    watched = BrowserPage(context.new_page(), site)
    watched.go("/docs/try/")
    expect(watched.page.locator(".opblock").first).to_be_visible()
    editing = opened(watched.page, "users-edit_user")
    expect(editing.locator("textarea")).to_be_visible()
    for width in (375, 1440):
        watched.page.set_viewport_size({"width": width, "height": 900})
        check_page(watched, f"docs-try-{width}-{scheme}")

    assert editing.get_by_placeholder("user_id").input_value() == "7"
    assert watched.page.evaluate("document.documentElement.matches('.dark-mode')") is (scheme == "dark")
    assert watched.faults == []
    context.close()


def test_the_dialog_to_authorize_asks_only_for_what_is_needed(watched: BrowserPage) -> None:
    watched.go("/docs/try/")

    watched.page.get_by_role("button", name="Authorize").first.click()

    expect(watched.page.get_by_label("username:")).to_be_focused()
    assert watched.page.locator(".dialog-ux input:visible").count() == 4  # email, password, or a token, or an API key
    assert watched.violations() == []


def test_a_chosen_theme_is_that_of_Swagger_UI(watched: BrowserPage) -> None:
    watched.go("/docs/try/")
    expect(watched.page.locator(".opblock").first).to_be_visible()

    watched.page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")

    expect(watched.page.locator("html")).to_have_class(re.compile(r"\bdark-mode\b"))


def test_an_operation_of_the_reference_can_be_tried_and_its_sample_copied(
    chromium: Browser, site: str, user: ApiUser
) -> None:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    watched = BrowserPage(context.new_page(), site)
    watched.go("/docs/#/auth/read_me")
    operation = watched.page.locator("[id='/auth/read_me']")
    expect(operation).to_be_in_viewport()
    operation.get_by_role("button", name="Copy").first.click()
    expect(operation.get_by_role("button", name="Copied")).to_be_visible()
    assert watched.page.evaluate("navigator.clipboard.readText()").startswith("curl ")

    operation.get_by_role("link", name="Try it").click()

    expect(watched.page.locator("#operations-auth-read_me.is-open")).to_be_visible()
    assert [fault for fault in watched.faults if not fault.startswith(DEEP_LINK_WARNING)] == []
    context.close()


def test_the_reference_needs_no_script(chromium: Browser, site: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/docs/")

    page.get_by_role("link", name="PATCH Update some fields of a user").click()

    expect(page.get_by_role("heading", name="PATCH /userapi/users/{user_id}/")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    context.close()
