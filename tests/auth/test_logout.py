"""Signing out: which sessions end, and when the browser must delete its cookies."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD
from tests.support.forged_tokens import get_own_user
from tests.support.form_browser import FormBrowser

LOGOUT = "/userapi/auth/logout/"
REFRESH = "/api-token-refresh/"
COOKIES = {"access_token", "refresh_token", "csrf_token", "csrf_refresh_token"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def deleted_cookies(response: TestResponse) -> set[str]:
    """The names of the cookies that a response deletes."""
    lines = [line for line in response.headers.getlist("Set-Cookie") if "01 Jan 1970" in line]
    return {line.partition("=")[0] for line in lines}


@pytest.fixture
def web(app: Flask, user: ApiUser) -> FlaskClient:
    """A browser in which the user is signed in."""
    web = app.test_client()
    web.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    return web


def csrf_header(web: FlaskClient) -> dict[str, str]:
    cookie = web.get_cookie("csrf_token")
    return {"X-CSRF-TOKEN": cookie.value if cookie else ""}


def has_ended(client: FlaskClient, tokens: dict[str, Any]) -> bool:
    return get_own_user(client, tokens["access_token"]).status_code == 401


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_bearer_token_and_the_refresh_token_of_another_session_end_both(
    app: Flask, client: FlaskClient, user: ApiUser, everywhere: bool
) -> None:
    mine, other, third = (sign_in(app, user.email) for _ in range(3))
    body = {"refresh_token": other["refresh_token"], "all": everywhere}

    assert client.post(LOGOUT, json=body, headers=bearer(mine["access_token"])).status_code == 200

    assert has_ended(client, mine)
    assert has_ended(client, other)
    assert has_ended(client, third) is everywhere


def test_two_refresh_tokens_end_both_sessions(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    mine, other = sign_in(app, user.email), sign_in(app, user.email)

    response = client.post(
        LOGOUT, json={"refresh_token": other["refresh_token"]}, headers=bearer(mine["refresh_token"])
    )

    assert response.status_code == 200
    assert has_ended(client, mine)
    assert has_ended(client, other)


def test_an_invalid_bearer_token_does_not_stop_the_refresh_token_from_ending_its_session(
    app: Flask, client: FlaskClient, user: ApiUser
) -> None:
    mine = sign_in(app, user.email)
    response = client.post(LOGOUT, json={"refresh_token": mine["refresh_token"]}, headers=bearer("a.b.c"))

    assert response.status_code == 200
    assert has_ended(client, mine)
    assert client.post(LOGOUT, headers=bearer("a.b.c")).status_code == 401


def test_a_refresh_token_and_cookies_with_a_csrf_token_end_both_sessions(
    app: Flask, client: FlaskClient, web: FlaskClient, user: ApiUser
) -> None:
    other = sign_in(app, user.email)
    body = {"refresh_token": other["refresh_token"]}

    assert web.post(LOGOUT, json=body, headers=csrf_header(web)).status_code == 200

    assert has_ended(client, other)
    assert len(user.get("/userapi/auth/sessions/").get_json()["results"]) == 1


def test_logout_works_with_the_refresh_cookie_once_the_access_cookie_has_expired(
    app: Flask, web: FlaskClient, user: ApiUser
) -> None:
    web.delete_cookie("access_token")
    web.set_cookie("access_token", "a.b.c")

    response = web.post(LOGOUT, headers=csrf_header(web))

    assert (response.status_code, deleted_cookies(response)) == (200, COOKIES)
    assert len(user.get("/userapi/auth/sessions/").get_json()["results"]) == 1


@pytest.mark.parametrize("path", [LOGOUT, REFRESH])
def test_invalid_cookies_are_deleted_with_the_401(web: FlaskClient, path: str) -> None:
    for name in ("access_token", "refresh_token"):
        web.set_cookie(name, "a.b.c")

    response = web.post(path, headers=csrf_header(web))

    assert (response.status_code, deleted_cookies(response)) == (401, COOKIES)
    assert web.get_cookie("access_token") is None


def test_the_cookies_of_an_ended_session_can_be_deleted(web: FlaskClient, user: ApiUser) -> None:
    user.delete("/userapi/auth/sessions/")
    before = csrf_header(web)

    everywhere = web.post(LOGOUT, json={"all": True}, headers=before)
    assert (everywhere.status_code, deleted_cookies(everywhere)) == (401, COOKIES)


@pytest.mark.parametrize("path", [LOGOUT, REFRESH])
def test_an_invalid_bearer_token_deletes_no_cookies(web: FlaskClient, path: str) -> None:
    response = web.post(path, headers={**csrf_header(web), **bearer("a.b.c")})

    assert (response.status_code, deleted_cookies(response)) == (401, set())


@pytest.mark.parametrize("path", ["/account/", "/password_change/", "/logout/", "/admin/users/", LOGOUT, REFRESH])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example.com"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_request_without_cookies_deletes_none(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    for response in (client.post(path, data={"x": "y"}, headers=headers), client.get(path, headers=headers)):
        assert "Set-Cookie" not in response.headers or deleted_cookies(response) == set()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, COOKIES),
        ({"Sec-Fetch-Site": "same-origin"}, COOKIES),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://app.example.com"}, COOKIES),
        ({"Sec-Fetch-Site": "none"}, COOKIES),
        ({"Origin": "http://localhost"}, COOKIES),
        ({"Sec-Fetch-Site": "cross-site"}, set()),
        ({"Origin": "https://elsewhere.example.com"}, set()),
        ({"Origin": "null"}, set()),
    ],
)
def test_invalid_cookies_are_deleted_only_for_requests_from_the_same_site(
    web: FlaskClient, user: ApiUser, headers: dict[str, str], expected: set[str]
) -> None:
    user.delete("/userapi/auth/sessions/")

    page = web.get("/account/", headers=headers, base_url="http://localhost")

    assert page.status_code == 303
    assert deleted_cookies(page) == expected


def test_signing_out_on_the_page_deletes_the_cookies(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    assert deleted_cookies(browser.send("/logout/")) >= COOKIES
