"""The pages of a user's own API keys."""

import logging
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.api_keys import KEYS, KeyHolder
from tests.support.factories import PASSWORD
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value
from tests.support.race import run_simultaneously
from tests.support.staff_imports import move_clock
from userapi.audit.activity import TEXTS

LIST, NEW = "/account/keys/", "/account/keys/new/"


@pytest.fixture
def browser(app: Flask, user: ApiUser) -> FormBrowser:
    """The browser of the user."""
    browser = FormBrowser(app)
    assert browser.sign_in(user.email).status_code == 303
    return browser


def form_of(browser: FormBrowser, page: str = NEW, **fields: str) -> dict[str, str]:
    """A form on a page, with its hidden fields."""
    opened = browser.get(page)
    return {"csrf_token": hidden_value(opened), "form_id": hidden_value(opened, "form_id"), **fields}


def new_key(browser: FormBrowser, **fields: str) -> TestResponse:
    """Send the form that creates a key with the scope `profile`, unless others are given."""
    sent = {"name": "Nightly report", "days": "30", "scopes.profile": "true", **fields}
    return browser.post(NEW, form_of(browser, **sent))


def shown_key(page: TestResponse) -> str:
    (key,) = re.findall(r'<code class="secret-key"[^>]*>(userapi_key_[0-9A-Za-z]{46})</code>', page.text)
    return str(key)


def holder_of(app: Flask, key: str) -> KeyHolder:
    return KeyHolder(app.test_client(), "", key)


def test_a_key_is_created_on_the_page_and_works(app: Flask, user: ApiUser, browser: FormBrowser) -> None:
    created = new_key(browser, name="Nightly <report>", addresses="127.0.0.1, 192.0.2.0/24")

    key = shown_key(browser.follow(created))
    assert holder_of(app, key).code is None
    assert holder_of(app, key).patch("/userapi/auth/user/", json={}).get_json()["code"] == "insufficient_scope"
    page = browser.get(LIST).text
    assert "Nightly &lt;report&gt;" in page
    assert f"…{key[-4:]}</code>" in page
    assert "Read your account" in page
    assert 'Only from <bdi dir="ltr">127.0.0.1/32</bdi>, <bdi dir="ltr">192.0.2.0/24</bdi>.' in page
    assert 'from the IP address <bdi dir="ltr">127.0.0.1</bdi>.' in page
    (stored,) = user.get(KEYS).get_json()["results"]
    assert stored["addresses"] == ["127.0.0.1/32", "192.0.2.0/24"]


def test_W52_the_page_shows_a_key_once_and_nothing_else_has_it(
    browser: FormBrowser, user: ApiUser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        created = new_key(browser)
        first = browser.follow(created)
    key = shown_key(first)
    secret = key[-46:-4]  # the list shows the last four characters

    again = browser.follow(created)

    assert first.headers["Cache-Control"] == "no-store"
    assert again.headers["Location"].endswith(LIST)
    listed = browser.follow(again)
    assert "An API key is shown only once." in listed.text
    pages = [listed.text, browser.get("/account/activity/").text, user.get("/userapi/auth/data/").text]
    headers = [str(response.headers) for response in (created, first, again)]
    assert not [text for text in (*pages, *headers, caplog.text) if secret in text]
    assert "new_api_key" not in headers[2]


def test_another_user_of_the_browser_is_not_shown_the_key(
    app: Flask, browser: FormBrowser, other_user: ApiUser
) -> None:
    created = new_key(browser)
    path = created.headers["Location"]
    other = FormBrowser(app)
    other.sign_in(other_user.email)
    other.client.set_cookie("new_api_key", browser.cookie("new_api_key", path).value, path=path)

    assert other.get(path).headers["Location"].endswith(LIST)


def test_a_second_click_creates_one_key_and_shows_it_again(browser: FormBrowser, user: ApiUser) -> None:
    form = form_of(browser, name="Nightly report", days="7", **{"scopes.profile": "true"})
    first, second = browser.post(NEW, form), browser.post(NEW, form)

    assert shown_key(browser.follow(first))
    assert first.headers["Location"] == second.headers["Location"]
    assert len(user.get(KEYS).get_json()["results"]) == 1


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": ""}, "This field is required."),
        ({"days": "400"}, "at most 366 days"),
        ({"addresses": "10.0.0.1 example.com"}, "Enter IP addresses, or IP networks"),
        ({"addresses": "fe80::1%eth0"}, "Enter IP addresses, or IP networks"),
        ({"scopes.everything": "true"}, "Must be one of"),
    ],
)
def test_errors_are_shown_with_what_was_typed(browser: FormBrowser, fields: dict[str, str], error: str) -> None:
    rejected = new_key(browser, **{"name": "Report", **fields})

    assert rejected.status_code == 400
    assert error in rejected.text
    assert re.search(r'name="scopes.profile"[^>]* checked', rejected.text)


@pytest.mark.parametrize("scopes", [{}, {"scopes.profile": "false"}])
def test_a_key_without_scopes_is_rejected(browser: FormBrowser, scopes: dict[str, str]) -> None:
    rejected = browser.post(NEW, form_of(browser, name="Report", days="7", **scopes))

    assert rejected.status_code == 400
    assert "Select what the key can be used for." in rejected.text


def test_only_staff_are_offered_scopes_for_other_users(app: Flask, staff: ApiUser, browser: FormBrowser) -> None:
    of_staff = FormBrowser(app)
    of_staff.sign_in(staff.email)

    assert 'name="scopes.users:write"' in of_staff.get(NEW).text
    assert 'name="scopes.users:write"' not in browser.get(NEW).text


def test_creating_and_replacing_need_a_recent_proof(
    browser: FormBrowser, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_key(browser)
    form = form_of(browser, LIST, overlap="0")
    (old,) = user.get(KEYS).get_json()["results"]
    move_clock(monkeypatch, timedelta(minutes=20))

    assert browser.get(NEW).headers["Location"].startswith("/prove/?next=/account/keys/new/")
    rejected = browser.post(f"{LIST}{old['id']}/rotate/", form)
    assert rejected.status_code == 403
    assert 'action="/prove/"' in rejected.text
    assert [row["id"] for row in user.get(KEYS).get_json()["results"]] == [old["id"]]


@pytest.mark.both
def test_W58_two_tabs_that_replace_a_key_get_one_successor(app: Flask, user: ApiUser, browser: FormBrowser) -> None:
    new_key(browser)
    (old,) = user.get(KEYS).get_json()["results"]
    tabs = [form_of(browser, LIST, overlap="3600") for _tab in range(2)]
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in browser.client._cookies.values())

    def replace(form: dict[str, str]) -> TestResponse:
        client = app.test_client(use_cookies=False)
        return client.post(f"{LIST}{old['id']}/rotate/", data=form, headers={**BROWSER_HEADERS, "Cookie": cookies})

    responses = run_simultaneously([lambda form=form: replace(form) for form in tabs])

    assert sorted(response.status_code for response in responses) == [303, 404]
    successor, replaced = user.get(KEYS).get_json()["results"]
    assert (replaced["id"], replaced["replaced_by"]) == (old["id"], successor["id"])


@pytest.mark.both
def test_W58_two_programs_that_rotate_a_key_get_one_successor(user: ApiUser) -> None:
    old = user.post(KEYS, json={"name": "Report", "scopes": ["profile"]}).get_json()

    responses = run_simultaneously([lambda: user.post(f"{KEYS}{old['id']}/rotate/", json={"overlap": 60})] * 4)

    assert sorted(response.status_code for response in responses) == [201, 404, 404, 404]
    assert len(user.get(KEYS).get_json()["results"]) == 2


def test_W58_a_replaced_key_works_until_the_overlap_ends(
    app: Flask, browser: FormBrowser, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shown_key(browser.follow(new_key(browser)))
    (row,) = user.get(KEYS).get_json()["results"]
    form = form_of(browser, LIST, overlap="3600")
    new = shown_key(browser.follow(browser.post(f"{LIST}{row['id']}/rotate/", form)))
    assert ">Replaced<" in browser.get(LIST).text

    move_clock(monkeypatch, timedelta(minutes=59))
    assert (holder_of(app, old).code, holder_of(app, new).code) == (None, None)
    move_clock(monkeypatch, timedelta(minutes=2))

    assert (holder_of(app, old).code, holder_of(app, new).code) == ("token_invalid", None)


def test_keys_are_revoked_one_by_one_and_all_together(app: Flask, browser: FormBrowser, user: ApiUser) -> None:
    keys = [shown_key(browser.follow(new_key(browser, name=f"Key {number}"))) for number in range(3)]
    newest, *_others = user.get(KEYS).get_json()["results"]

    page = browser.follow(browser.post(f"{LIST}{newest['id']}/revoke/", form_of(browser, LIST)))
    assert "The API key has been revoked." in page.text
    assert [holder_of(app, key).code for key in keys] == [None, None, "token_invalid"]
    page = browser.follow(browser.post(f"{LIST}revoke-all/", form_of(browser, LIST)))

    assert "You have no API keys." in page.text
    assert {holder_of(app, key).code for key in keys} == {"token_invalid"}


def test_the_keys_of_others_can_be_neither_replaced_nor_revoked(
    app: Flask, browser: FormBrowser, other_user: ApiUser
) -> None:
    key = other_user.post(KEYS, json={"name": "Report", "scopes": ["profile"]}).get_json()

    for action in ("rotate", "revoke"):
        denied = browser.post(f"{LIST}{key['id']}/{action}/", form_of(browser, "/account/", overlap="0"))
        assert denied.status_code in (400, 404), action
    assert holder_of(app, key["key"]).code is None


def test_after_a_change_of_password_the_keys_are_offered_for_revoking(
    app: Flask, browser: FormBrowser, user: ApiUser
) -> None:
    key = shown_key(browser.follow(new_key(browser)))
    new_password = "violet tram outside 8"
    fields = {"old_password": PASSWORD, "new_password1": new_password, "new_password2": new_password}

    page = browser.follow(browser.send("/password_change/", fields))

    assert "Your 1 API key still works." in page.text
    assert holder_of(app, key).code is None
    browser.post(f"{LIST}revoke-all/", {"csrf_token": hidden_value(page)})
    assert holder_of(app, key).code == "token_invalid"
    assert "API key" not in browser.get("/password_change/done/").text.partition("<h1>")[2]


def test_activity_and_data_name_keys(app: Flask, browser: FormBrowser, user: ApiUser) -> None:
    key = shown_key(browser.follow(new_key(browser, **{"scopes.profile:write": "true"})))
    assert holder_of(app, key).patch("/userapi/auth/user/", json={"first_name": "Robin"}).status_code == 200

    page = browser.get("/account/activity/").text
    data = user.get("/userapi/auth/data/").get_json()

    assert str(TEXTS["api_key.created"]) in page
    assert ">By API key<" in page
    (listed,) = data["api_keys"]
    assert (listed["name"], listed["last4"]) == ("Nightly report", key[-4:])
    changed = next(event for event in data["events"] if event["action"] == "user.changed")
    assert changed["key_id"] == listed["id"]


def test_without_api_keys_the_pages_show_nothing_of_them(make_app: Callable[..., Flask], user: ApiUser) -> None:
    browser = FormBrowser(make_app(API_KEY_MAX_LIFETIME="0"))
    assert browser.sign_in(user.email).status_code == 303

    assert LIST not in browser.get("/account/").text
    assert [browser.get(path).status_code for path in (LIST, NEW)] == [403, 403]
