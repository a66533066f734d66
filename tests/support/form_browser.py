"""A simulated browser over the test client: keeps cookies, sends forms with their hidden fields."""

import re
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import PASSWORD

BROWSER_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "User-Agent": "Firefox/140.0",
}


def hidden_value(page: TestResponse, name: str = "csrf_token") -> str:
    """The value of a hidden input in the main part of a page, or an empty text."""
    main = page.text[max(page.text.find("<main"), 0) :]
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', main)
    return unescape(found[1]) if found else ""


def input_value(page: TestResponse, name: str) -> str | None:
    """The value of an input, or None."""
    tag = re.search(rf'<input id="[^"]*" name="{re.escape(name)}"[^>]*>', page.text)
    found = re.search(r' value="([^"]*)"', tag[0]) if tag else None
    return unescape(found[1]) if found else None


class FormBrowser:
    """The browser of one visitor."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, headers=BROWSER_HEADERS, **options)

    def send(self, path: str, fields: dict[str, str] | None = None, form_on: str | None = None) -> TestResponse:
        """Fill in the form on a page and send it, without following redirects."""
        page = self.get(form_on or path)
        return self.post(path, {**(fields or {}), "csrf_token": hidden_value(page)})

    def post(self, path: str, fields: dict[str, str]) -> TestResponse:
        """Send exactly these fields."""
        return self.client.post(path, data=fields, headers=BROWSER_HEADERS)

    def follow(self, response: TestResponse) -> TestResponse:
        """Follow a redirect."""
        assert response.status_code == 303, response.text
        return self.get(response.headers["Location"])

    def sign_in(self, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
        """Sign in by the form."""
        return self.send("/login/", {"email": email, "password": password, **more})

    def cookie(self, name: str, path: str = "/") -> Any:
        """A cookie the browser holds, or None."""
        return self.client.get_cookie(name, path=path)
