"""Visits of a simulated browser to the provider that `fake_provider` simulates."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.factories import PROFILE, to_form_fields
from tests.support.fake_provider import ISSUER, FakeProvider
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value
from tests.support.sql import execute_sql

CALLBACK = "/auth/callback/acme/"

#: What `id_tokens.claims_of` names the user.
SUBJECT = "248289761001"


def continue_url(page: TestResponse) -> str:
    """Where the page that follows a button of a provider leads to."""
    assert page.status_code == 200, page.text
    found = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]*)">', page.text)
    assert found, page.text
    return unescape(found[1])


def start(browser: FormBrowser, following: str = "", provider_id: str = "acme") -> str:
    """Press the button of the provider on the sign-in page; the URL that the browser goes to."""
    return continue_url(browser.send(f"/login/{provider_id}/", {"next": following}, form_on="/login/"))


def callback_path(provider: FakeProvider, url: str, **changes: Any) -> str:
    """Sign in at the provider; the path that the browser comes back to."""
    answer = {**provider.visit(url), **changes}
    return f"{CALLBACK}?{urlencode({name: value for name, value in answer.items() if value is not None})}"


def come_back(browser: FormBrowser, provider: FakeProvider, url: str, **changes: Any) -> TestResponse:
    """Sign in at the provider, and come back."""
    return browser.get(callback_path(provider, url, **changes))


def visit(browser: FormBrowser, provider: FakeProvider, following: str = "") -> TestResponse:
    """Go to the provider from the sign-in page, sign in there, and come back."""
    return come_back(browser, provider, start(browser, following))


def register(browser: FormBrowser, provider: FakeProvider, **fields: str) -> TestResponse:
    """Visit the provider with an identity that no account has, and send the form of the registration."""
    shown = visit(browser, provider)
    assert shown.headers["Location"] == "/register/acme/", shown.text
    return send_registration(browser, **fields)


def send_registration(browser: FormBrowser, **fields: str) -> TestResponse:
    """Send the form of a registration as it was filled in, with a profile."""
    page = browser.get("/register/acme/")
    email = re.search(r'name="email"[^>]*value="([^"]*)"', page.text)
    assert email, page.text
    filled = {"email": unescape(email[1]), **to_form_fields({"profile": PROFILE}), **fields}
    return browser.post("/register/acme/", {**filled, "csrf_token": hidden_value(page)})


def account_of(browser: FormBrowser) -> dict[str, Any] | None:
    """The account that a browser is signed in to; None if it is not."""
    response = browser.client.get("/userapi/auth/user/", headers=BROWSER_HEADERS | {"Accept": "application/json"})
    return response.get_json() if response.status_code == 200 else None


def link_identity(app: Flask, user_id: int, subject: str = SUBJECT, issuer: str = ISSUER) -> None:
    """Store that the identity that the provider proves is linked to an account."""
    execute_sql(
        app,
        "INSERT INTO identities (user_id, issuer, subject, provider, email, email_trusted, created_at) "
        "VALUES (:user_id, :issuer, :subject, 'acme', NULL, false, CURRENT_TIMESTAMP)",
        user_id=user_id,
        issuer=issuer,
        subject=subject,
    )
