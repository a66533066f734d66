"""Pages of the API list the operations, are named after their requests, and give the curl command and foldable JSON."""

import html
import json
import re
import shlex
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.api_page import ApiPage
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser
from userapi.browse.highlighting import highlight

USERS = "/userapi/users/"
SITE = "http://accounts.example.com"


class Part(HTMLParser):
    """The text of the elements with an ID, and the links and the current link in the list of operations."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.operations: dict[str, str] = {}
        self.current: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in ("meta", "link", "input", "br", "wbr"):
            self._open.append((tag, found))
        if tag == "a" and self._is_in_list():
            self.operations[str(found["href"])] = ""
            self.current += [str(found["href"])] if "aria-current" in found else []

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag, attributes in self._open:
            name = attributes.get("id") or tag
            self.texts[name] = self.texts.get(name, "") + data
        if self._is_in_list() and any(tag == "a" for tag, _attributes in self._open):
            (*_others, last) = self.operations
            self.operations[last] += data

    def _is_in_list(self) -> bool:
        return any("operations" in str(attributes.get("class")).split() for _tag, attributes in self._open)


def open_page(app: Flask, path: str, email: str | None = None) -> Part:
    browser = FormBrowser(app)
    if email:
        browser.sign_in(email)
    return Part(browser.get(path))


def test_the_list_has_the_operations_that_the_caller_may_call(app: Flask, user: ApiUser, superuser: ApiUser) -> None:
    anonymous = open_page(app, "/userapi/").operations
    own = open_page(app, "/userapi/", user.email).operations
    all_of_them = open_page(app, "/userapi/", superuser.email).operations

    assert f"{USERS}#post" in anonymous
    assert USERS not in anonymous
    assert "/userapi/auth/user/" not in anonymous
    assert {"/userapi/auth/user/", user.url, f"{user.url}#patch"} <= set(own)
    assert f"{user.url}#delete" not in own
    assert {USERS, f"{superuser.url}#delete"} <= set(all_of_them)
    assert set(anonymous) < set(own) < {path.replace(superuser.url, user.url) for path in all_of_them}


def test_the_list_marks_the_operation_of_the_page(app: Flask, superuser: ApiUser, user: ApiUser) -> None:
    page = open_page(app, user.url, superuser.email)

    assert page.current == [user.url]
    assert f"{user.url}#delete" in page.operations
    assert open_page(app, USERS).current == [USERS]  # denied, but listed
    assert open_page(app, "/userapi/auth/login/").current == []


def test_an_operation_whose_path_needs_an_unknown_id_leads_to_the_reference(app: Flask, user: ApiUser) -> None:
    page = open_page(app, "/userapi/", user.email)

    references = {path: text for path, text in page.operations.items() if path.startswith("/docs/#")}
    assert ["DELETE", "End one of your sessions"] in [text.split(None, 1) for text in references.values()]
    documentation = app.test_client().get("/docs/").text
    assert [path for path in references if f'id="{path.removeprefix("/docs/#")}"' not in documentation] == []


def test_every_listed_path_exists(app: Flask, superuser: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(superuser.email)

    for path in Part(browser.get("/userapi/")).operations:
        address, _hash, method = path.partition("#")
        response = browser.get(address)
        # The list of related origins is there only where passkeys have more than one.
        assert response.status_code in (200, 405) or address == "/.well-known/webauthn", path
        if method and not address.startswith("/docs/"):
            assert method.upper() in ApiPage(response).forms, path


@pytest.mark.parametrize(
    ("path", "title"),
    [
        (f"{USERS}?limit=1", "GET /userapi/users/"),
        ("own", "GET /userapi/users/{user_id}/"),
        (f"{USERS}999999/", "Not found"),
        (f"{USERS}?limit=900", "Validation failed"),
        ("/userapi/auth/logout/", "Method not allowed"),
    ],
)
def test_a_page_is_titled_by_its_request_or_its_error(app: Flask, superuser: ApiUser, path: str, title: str) -> None:
    page = open_page(app, superuser.url if path == "own" else path, superuser.email)

    assert page.texts["h1"] == title
    assert page.texts["title"].startswith(f"{title} · ")


def test_the_page_of_a_missing_user_has_no_write_forms_and_is_not_called_read_a_user(
    app: Flask, superuser: ApiUser
) -> None:
    browser = FormBrowser(app)
    browser.sign_in(superuser.email)
    response = browser.get(f"{USERS}999999/")
    text = response.text[response.text.index('id="page"') :]

    assert ApiPage(response).forms == {}
    assert "Read a user" not in text


@pytest.mark.parametrize("query", ["", "?limit=2&search=o%27neill%20%24HOME", "?search=`id`&x=%0a"])
def test_the_curl_command_is_the_request_of_the_page_with_a_placeholder_for_the_token(
    app: Flask, superuser: ApiUser, query: str
) -> None:
    browser = FormBrowser(app)
    browser.sign_in(superuser.email)
    response = browser.get(USERS + query)

    arguments = shlex.split(Part(response).texts["curl"].replace("\\\n", ""))

    assert arguments[0] == "curl"
    assert arguments[1].replace("`", "%60") == SITE + USERS + query.replace("`", "%60")
    assert arguments[2:] == ["-H", "Authorization: Bearer $ACCESS_TOKEN"]
    assert "eyJ" not in response.text


def test_the_curl_command_of_a_write_works_without_scripts_and_has_no_secret(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    failed = browser.post("/api-token-auth/", {"email": user.email, "password": "a wrong password"})
    browser.sign_in(user.email)
    patch = shlex.split(Part(browser.get(user.url)).texts["patch-curl"].replace("\\\n", ""))
    sign_in = shlex.split(Part(failed).texts["post-curl"].replace("\\\n", ""))

    assert patch[1:4] == ["-X", "PATCH", SITE + user.url]
    assert patch[patch.index("-d") - 3] == f"If-Match: {user.get(user.url).headers['ETag']}"
    assert json.loads(patch[-1])
    assert json.loads(sign_in[-1])["password"] == "$PASSWORD"
    assert "a wrong password" not in failed.text
    assert "curl" not in Part(failed).texts  # the body of a write is known to its form only


def test_the_text_of_a_page_is_the_JSON_of_the_response(app: Flask, superuser: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(superuser.email)

    page = Part(browser.get(USERS)).texts["json"]
    data = browser.get(f"{USERS}?format=json").get_json()

    assert json.loads(page) == data
    assert page == json.dumps(data, indent=4, ensure_ascii=False)


def test_nested_objects_and_arrays_fold_and_stay_JSON_when_folded() -> None:
    document = {"a": {"b": [1, {"c": "<&>"}]}, "empty": [], "none": {}}

    text = str(highlight(document, SITE, foldable=True))

    assert text.count("<details open>") == text.count("</details>") == 3
    folded = text
    while "<details" in folded:  # from the inside out, without what a browser hides
        start = folded.rindex("<details")
        end = folded.index("</details>", start)
        folded = (
            folded[:start]
            + folded[start : folded.index("</summary>", start)].replace("<details open>", "")
            + folded[end + 10 :]
        )
    assert json.loads(html.unescape(re.sub(r"<[^>]*>", "", folded))) == {"a": {}, "empty": [], "none": {}}
    assert "<details" not in str(highlight(document, SITE))


def test_vary_is_one_line_of_the_response_and_of_the_page(client: FlaskClient) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "same-origin", "Accept-Encoding": "gzip"}):
        denied = client.get(USERS, headers={**BROWSER_HEADERS, **headers})
        assert len(denied.headers.getlist("Vary")) == 1
    page = client.get(USERS, headers=BROWSER_HEADERS).text

    assert page.count("<dt>Vary</dt>") == 1
    assert len(client.get(USERS).headers.getlist("Vary")) == 1


def test_the_language_is_chosen_from_a_list_and_limits_are_words(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    text = browser.get(user.url).text

    assert '<select dir="ltr" id="patch-language"' in text
    assert "<option>de</option>" in text
    assert "Given name. Up to 150 characters." in text
    assert "8 to 128 characters." in browser.get("/userapi/auth/password/change/").text
