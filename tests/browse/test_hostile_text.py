"""What users type into their accounts is shown as text on the pages of the API (stored and reflected XSS)."""

import json
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.api_page import ApiPage
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser
from userapi.browse.highlighting import highlight, own_path

SITE = "http://accounts.example.com"

HOSTILE = (
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>",
    "</pre></code><svg onload=alert(1)>", "{{1234567*7}}", "{% raw %}", "&lt;b&gt;", "<!--", "]]>",
    "\\u003cscript\\u003e",
    "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "//evil.example/", "http://evil.example/",
    f"{SITE}.evil.example/", f"{SITE}@evil.example/", f"{SITE}//evil.example/", f"{SITE}/\\evil.example/",
    f'{SITE}/"onmouseover="alert(1)',
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_V19_a_hostile_name_runs_no_script_and_adds_no_link(app: Flask, user: ApiUser, text: str) -> None:
    assert user.patch(user.url, json={"first_name": text, "profile": {"address": text}}).status_code == 200
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    page = ApiPage(browser.get(user.url))

    assert page.handlers == []
    assert all(script["src"].startswith("/static/") for script in page.scripts)
    assert json.dumps(text, ensure_ascii=False) in page.response_text
    assert page.forms["PATCH"]["first_name"]["value"] == text
    for path, _text in page.links:
        assert not path.startswith(("//", "/\\"))


@pytest.mark.parametrize("text", HOSTILE)
def test_V19_values_of_a_request_are_shown_as_text(client: FlaskClient, text: str) -> None:
    responses = [
        client.get(f"/userapi/?x={quote(text)}&{quote(text)}=1", headers=BROWSER_HEADERS),
        client.get(f"/userapi/{quote(text, safe='')}/", headers=BROWSER_HEADERS),
        client.post("/userapi/users/", json={text: text, "email": text}, headers=BROWSER_HEADERS),
        client.post("/userapi/users/", data={text: text, "email": text}, headers=BROWSER_HEADERS),
        client.post("/api-token-verify/", data={"token": text}, headers=BROWSER_HEADERS),
        client.get("/userapi/", headers={**BROWSER_HEADERS, "X-Request-ID": "a<b>"}),
    ]

    for response in responses:
        page = ApiPage(response)
        assert page.handlers == []
        assert all(script["src"].startswith("/static/") for script in page.scripts)
        assert "8641969" not in response.text


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (f"{SITE}/userapi/users/1/", "/userapi/users/1/"),
        (f"{SITE}/userapi/users/?cursor=a&limit=2", "/userapi/users/?cursor=a&limit=2"),
        (f"{SITE}/", "/"),
        (SITE, None),
        (f"{SITE}//evil.example/", None),
        (f"{SITE}/\\evil.example/", None),
        (f"{SITE}.evil.example/", None),
        (f"{SITE}:80@evil.example/", None),
        (f"{SITE}/a\nb", None),
        (f"{SITE}/a b", None),
        (f"{SITE}/\u202e", None),
        (f" {SITE}/", None),
        ("javascript:alert(1)", None),
        ("/userapi/", None),
        (None, None),
        (1, None),
    ],
)
def test_only_urls_of_this_service_are_links(value: object, path: str | None) -> None:
    assert own_path(value, SITE) == path


def test_the_highlighted_JSON_equals_the_JSON() -> None:
    document = {
        "a": [], "b": {}, "c": [1, -2.5, 1e30, True, False, None], "d": {"e": [{"f": "<&>\"'\u202e\u2028"}], "": "\\"},
    }  # fmt: skip

    class Text(ApiPage):
        def __init__(self, html: str) -> None:
            super(ApiPage, self).__init__()
            self.text = ""
            self.feed(html)

        def handle_starttag(self, tag: str, attrs: object) -> None:
            assert tag in ("span", "a")

        def handle_endtag(self, tag: str) -> None:
            pass

        def handle_data(self, data: str) -> None:
            self.text += data

    assert json.loads(Text(str(highlight(document, SITE))).text) == document


def test_a_token_is_shown_only_in_the_response_that_creates_it(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    page = browser.post("/api-token-auth/", {"email": user.email, "password": user.password})
    again = browser.get("/api-token-auth/")

    assert '"access_token": "eyJ' in ApiPage(page).response_text
    assert page.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in page.headers
    assert user.password not in page.text
    assert "eyJ" not in again.text
