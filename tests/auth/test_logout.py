"""Signing out: which sessions end, and when the browser is to drop its cookies."""

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


def dropped(answer: TestResponse) -> set[str]:
    """The names of the cookies that an answer drops."""
    lines = [line for line in answer.headers.getlist("Set-Cookie") if "01 Jan 1970" in line]
    return {line.partition("=")[0] for line in lines}


@pytest.fixture
def web(app: Flask, user: ApiUser) -> FlaskClient:
    """The user's browser, signed in."""
    web = app.test_client()
    web.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    return web


def proof(web: FlaskClient) -> dict[str, str]:
    cookie = web.get_cookie("csrf_token")
    return {"X-CSRF-TOKEN": cookie.value if cookie else ""}


def is_over(client: FlaskClient, tokens: dict[str, Any]) -> bool:
    return get_own_user(client, tokens["access_token"]).status_code == 401


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_bearer_token_and_the_refresh_token_of_another_session_end_both(
    app: Flask, client: FlaskClient, user: ApiUser, everywhere: bool
) -> None:
    mine, other, third = (sign_in(app, user.email) for _ in range(3))
    body = {"refresh_token": other["refresh_token"], "all": everywhere}

    assert client.post(LOGOUT, json=body, headers=bearer(mine["access_token"])).status_code == 200

    assert is_over(client, mine)
    assert is_over(client, other)
    assert is_over(client, third) is everywhere


def test_two_refresh_tokens_end_both_sessions(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    mine, other = sign_in(app, user.email), sign_in(app, user.email)

    answer = client.post(LOGOUT, json={"refresh_token": other["refresh_token"]}, headers=bearer(mine["refresh_token"]))

    assert answer.status_code == 200
    assert is_over(client, mine)
    assert is_over(client, other)


def test_a_bad_bearer_token_does_not_keep_the_refresh_token_from_ending_its_session(
    app: Flask, client: FlaskClient, user: ApiUser
) -> None:
    mine = sign_in(app, user.email)
    answer = client.post(LOGOUT, json={"refresh_token": mine["refresh_token"]}, headers=bearer("a.b.c"))

    assert answer.status_code == 200
    assert is_over(client, mine)
    assert client.post(LOGOUT, headers=bearer("a.b.c")).status_code == 401


def test_a_refresh_token_and_cookies_with_their_proof_end_both_sessions(
    app: Flask, client: FlaskClient, web: FlaskClient, user: ApiUser
) -> None:
    other = sign_in(app, user.email)
    body = {"refresh_token": other["refresh_token"]}

    assert web.post(LOGOUT, json=body, headers=proof(web)).status_code == 200

    assert is_over(client, other)
    assert len(user.get("/userapi/auth/sessions/").get_json()["results"]) == 1


def test_logout_works_with_the_refresh_cookie_once_the_access_cookie_has_expired(
    app: Flask, web: FlaskClient, user: ApiUser
) -> None:
    web.delete_cookie("access_token")
    web.set_cookie("access_token", "a.b.c")

    answer = web.post(LOGOUT, headers=proof(web))

    assert (answer.status_code, dropped(answer)) == (200, COOKIES)
    assert len(user.get("/userapi/auth/sessions/").get_json()["results"]) == 1


@pytest.mark.parametrize("path", [LOGOUT, REFRESH])
def test_dead_cookies_are_dropped_with_the_401(web: FlaskClient, path: str) -> None:
    for name in ("access_token", "refresh_token"):
        web.set_cookie(name, "a.b.c")

    answer = web.post(path, headers=proof(web))

    assert (answer.status_code, dropped(answer)) == (401, COOKIES)
    assert web.get_cookie("access_token") is None


def test_the_cookies_of_a_session_that_has_ended_can_be_dropped(web: FlaskClient, user: ApiUser) -> None:
    user.delete("/userapi/auth/sessions/")
    before = proof(web)

    everywhere = web.post(LOGOUT, json={"all": True}, headers=before)
    assert (everywhere.status_code, dropped(everywhere)) == (401, COOKIES)


@pytest.mark.parametrize("path", [LOGOUT, REFRESH])
def test_a_bad_bearer_token_drops_no_cookies(web: FlaskClient, path: str) -> None:
    answer = web.post(path, headers={**proof(web), **bearer("a.b.c")})

    assert (answer.status_code, dropped(answer)) == (401, set())


@pytest.mark.parametrize("path", ["/account/", "/password_change/", "/logout/", "/admin/users/", LOGOUT, REFRESH])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example.com"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_request_without_cookies_drops_none(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    for answer in (client.post(path, data={"x": "y"}, headers=headers), client.get(path, headers=headers)):
        assert "Set-Cookie" not in answer.headers or dropped(answer) == set()


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
def test_dead_cookies_are_dropped_only_for_a_request_of_the_same_site(
    web: FlaskClient, user: ApiUser, headers: dict[str, str], expected: set[str]
) -> None:
    user.delete("/userapi/auth/sessions/")

    page = web.get("/account/", headers=headers, base_url="http://localhost")

    assert page.status_code == 303
    assert dropped(page) == expected


def test_signing_out_by_the_page_drops_the_cookies(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    assert dropped(browser.send("/logout/")) >= COOKIES
