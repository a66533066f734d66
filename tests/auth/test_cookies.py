"""Browser sessions: tokens in cookies, protected by a CSRF token."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.forged_tokens import get_own_user, read_claims, refresh_session, verify_token

LOGIN = "/userapi/auth/login/"
ME = "/userapi/auth/user/"
REFRESH = "/api-token-refresh/"


def sign_in_with_cookies(client: FlaskClient, email: str, **more: Any) -> TestResponse:
    return client.post(LOGIN, json={"email": email, "password": PASSWORD, "cookies": True, **more})


def cookie(client: FlaskClient, name: str) -> str:
    found = client.get_cookie(name)
    assert found is not None
    return found.value


def csrf_header(client: FlaskClient) -> dict[str, str]:
    """The CSRF header that our pages send."""
    return {"X-CSRF-TOKEN": cookie(client, "csrf_token")}


@pytest.fixture
def web(app: Flask, user: ApiUser) -> FlaskClient:
    """A browser in which the user is signed in."""
    web = app.test_client()
    assert sign_in_with_cookies(web, user.email).status_code == 200
    return web


def test_tokens_are_stored_in_cookies_that_scripts_cannot_read(app: Flask, user: ApiUser) -> None:
    response = sign_in_with_cookies(app.test_client(), user.email)

    assert response.get_json() == {"user": response.get_json()["user"]}
    assert response.get_json()["user"]["email"] == user.email
    cookies = {line.partition("=")[0]: line for line in response.headers.getlist("Set-Cookie")}
    assert set(cookies) == {"access_token", "refresh_token", "csrf_token", "csrf_refresh_token"}
    for name in ("access_token", "refresh_token"):
        assert "HttpOnly" in cookies[name]
        assert cookies[name].split("; ")[0] not in response.text
    for line in cookies.values():
        assert "SameSite=Lax" in line
        assert "Path=/" in line
        assert "Domain" not in line
    assert "HttpOnly" not in cookies["csrf_token"]


def test_cookies_are_secure_and_bound_to_the_host_over_https(make_app: Callable[..., Flask]) -> None:
    app = make_app(SITE_URL="https://accounts.example.com")
    email = str(new_user()["email"])
    make_user(app, email=email)
    web = app.test_client()

    response = sign_in_with_cookies(web, email)

    lines = response.headers.getlist("Set-Cookie")
    assert {"__Host-access_token", "__Host-refresh_token"} < {line.partition("=")[0] for line in lines}
    for line in lines:
        assert "; Secure" in line
        assert "Path=/" in line
        assert "Domain" not in line


def test_no_cookies_are_set_unless_requested(client: FlaskClient, user: ApiUser) -> None:
    for more in ({}, {"cookies": False}):
        response = client.post(LOGIN, json={"email": user.email, "password": PASSWORD, **more})
        assert "Set-Cookie" not in response.headers
        assert "access_token" in response.get_json()
    rejected = client.post(LOGIN, json={"email": user.email, "password": "wrong", "cookies": True})
    assert rejected.status_code == 401
    assert "Set-Cookie" not in rejected.headers
    assert client.post(LOGIN, json={"email": user.email, "password": PASSWORD, "cookies": "yes"}).status_code == 400


def test_reading_needs_only_the_cookie(web: FlaskClient, user: ApiUser) -> None:
    assert web.get(ME).get_json()["id"] == user.id
    assert web.get("/userapi/auth/sessions/").status_code == 200


def test_writing_needs_the_csrf_token(web: FlaskClient, user: ApiUser, app: Flask, other_user: ApiUser) -> None:
    other = app.test_client()
    sign_in_with_cookies(other, other_user.email)
    calls: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("PATCH", ME, {"first_name": "Odile"}),
        ("PATCH", user.url, {"first_name": "Odile"}),
        ("DELETE", "/userapi/auth/sessions/", {}),
        ("POST", "/userapi/auth/password/change/", {"old_password": PASSWORD}),
        ("POST", "/userapi/auth/logout/", {}),
    )

    for method, path, body in calls:
        for headers in (
            {},
            {"X-CSRF-TOKEN": ""},
            {"X-CSRF-TOKEN": "x"},
            csrf_header(other),
            {"X-CSRFToken": cookie(web, "csrf_token")},
        ):
            response = web.open(path, method=method, json=body, headers=headers)
            assert (response.status_code, response.get_json()["code"]) == (403, "csrf_failed"), (method, path, headers)
    assert web.get(ME).get_json()["first_name"] != "Odile"

    assert web.patch(ME, json={"first_name": "Odile"}, headers=csrf_header(web)).status_code == 200
    assert web.delete("/userapi/auth/sessions/", headers=csrf_header(web)).status_code == 204


def test_cookies_and_bearer_tokens_are_not_interchangeable(web: FlaskClient, app: Flask, user: ApiUser) -> None:
    client = app.test_client(use_cookies=False)
    access, refresh_token = cookie(web, "access_token"), cookie(web, "refresh_token")

    assert get_own_user(client, access).status_code == 401
    assert verify_token(client, access).status_code == 401
    assert refresh_session(client, refresh_token).status_code == 401
    assert client.post(REFRESH, headers={"Authorization": f"Bearer {refresh_token}"}).status_code == 401
    assert client.get(ME, headers={"Cookie": f"access_token={user.tokens['access_token']}"}).status_code == 401
    assert client.get(ME, headers={"Cookie": f"access_token={refresh_token}"}).status_code == 401
    assert client.get(ME, headers={"Cookie": f"access_token={access}"}).status_code == 200
    bearer_in_cookie = {
        "Cookie": f"refresh_token={user.tokens['refresh_token']}",
        "X-CSRF-TOKEN": read_claims(user.tokens["refresh_token"])["csrf"],
    }
    assert client.post(REFRESH, headers=bearer_in_cookie).status_code == 401
    assert read_claims(access)["aud"] == "userapi-web"


def test_a_bearer_token_takes_precedence_over_a_cookie(web: FlaskClient, other_user: ApiUser) -> None:
    assert web.get(ME, headers=other_user.headers).get_json()["id"] == other_user.id
    assert web.patch(ME, json={"first_name": "Odile"}, headers=other_user.headers).get_json()["id"] == other_user.id
    assert web.get(ME, headers={"Authorization": "Bearer x"}).status_code == 401


def test_refreshing_by_cookie_needs_only_the_csrf_token(web: FlaskClient, user: ApiUser) -> None:
    before = cookie(web, "refresh_token")
    for headers in ({}, {"X-CSRF-TOKEN": "x"}, {"X-CSRF-TOKEN": ""}):
        response = web.post(REFRESH, headers=headers)
        assert (response.status_code, response.get_json()["code"]) == (403, "csrf_failed")

    response = web.post(REFRESH, headers=csrf_header(web))

    assert response.status_code == 200
    assert "token" not in " ".join(response.get_json())
    old, new = read_claims(before), read_claims(cookie(web, "refresh_token"))
    assert (new["sid"], new["aud"]) == (old["sid"], "userapi-web")
    assert new["jti"] != old["jti"]
    assert web.get(ME).get_json()["id"] == user.id
    assert web.patch(ME, json={"first_name": "Odile"}, headers=csrf_header(web)).status_code == 200


def test_R05_logout_ends_the_session_and_clears_the_cookies(web: FlaskClient, app: Flask, user: ApiUser) -> None:
    stolen = {"Cookie": f"access_token={cookie(web, 'access_token')}"}
    assert app.test_client(use_cookies=False).get(ME, headers=stolen).status_code == 200

    response = web.post("/userapi/auth/logout/", headers=csrf_header(web))

    assert response.status_code == 200
    for name in ("access_token", "refresh_token", "csrf_token", "csrf_refresh_token"):
        left = web.get_cookie(name)
        assert left is None or left.value == ""
    assert web.get(ME).status_code == 401
    assert app.test_client(use_cookies=False).get(ME, headers=stolen).status_code == 401
    assert user.get(ME).status_code == 200


def test_a_stale_cookie_does_not_block_public_pages(web: FlaskClient, user: ApiUser, app: Flask) -> None:
    user.delete("/userapi/auth/sessions/")
    assert web.get(ME).status_code == 401

    assert web.get("/userapi/").status_code == 200
    assert web.post("/userapi/users/", json=new_user()).status_code == 201
    assert sign_in_with_cookies(web, user.email).status_code == 200
    assert web.get(ME).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example.com"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
        {"Origin": "https://elsewhere.example.com"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_on_another_site_cannot_sign_a_user_in(
    app: Flask, user: ApiUser, headers: dict[str, str], media_type: str
) -> None:
    form = {"email": user.email, "password": PASSWORD, "cookies": "true"}
    ours = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    post = {"data": form, "content_type": media_type}
    assert app.test_client().post(LOGIN, **post, headers=ours, base_url="http://localhost").status_code == 200
    assert app.test_client().post(LOGIN, **post).status_code == 200

    response = app.test_client().post(LOGIN, **post, headers=headers)

    assert (response.status_code, response.get_json()["code"]) == (403, "csrf_failed")
    assert "Set-Cookie" not in response.headers
