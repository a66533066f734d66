"""Errors are pages for a browser: the same status, the same headers, and what to do next."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.api_page import ApiPage
from tests.support.factories import PASSWORD, new_user
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser
from tests.support.proofs import submit_shown_form
from tests.support.sql import execute_sql
from userapi.auth import authentication
from userapi.auth.models import Session
from userapi.core import clock
from userapi.core.db import db


def test_401_leads_to_the_sign_in_and_back(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    rejected = browser.get(user.url)
    (sign_in,) = {path for path, _text in ApiPage(rejected).links if path.startswith("/login/?next")}
    response = browser.send("/login/", {"email": user.email, "password": user.password}, form_on=sign_in)

    assert rejected.status_code == 401
    assert rejected.headers["WWW-Authenticate"] == 'Bearer realm="userapi"'
    assert "not_authenticated" in rejected.text
    assert ApiPage(browser.get(sign_in)).forms["post"]["next"]["value"] == user.url
    assert response.status_code == 303


def test_an_operation_that_requires_a_proof_leads_to_the_page_for_it_and_back(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    execute_sql(app, "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00'")
    factors = "/userapi/auth/factors/totp/"

    rejected = browser.send(factors, {"name": "Phone"})
    (prove,) = {path for path, text in ApiPage(rejected).links if text == "Confirm that it is you"}
    proved = submit_shown_form(browser.client, browser.get(prove), password=PASSWORD)

    assert (rejected.status_code, "proof_needed" in ApiPage(rejected).response_text) == (403, True)
    assert (proved.status_code, proved.headers["Location"]) == (303, factors)


def test_403_404_and_413_are_pages(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    forbidden = user.get("/userapi/users/", headers=BROWSER_HEADERS)
    missing = staff.get("/userapi/users/999999/", headers=BROWSER_HEADERS)
    nowhere = user.get("/userapi/nothing/", headers=BROWSER_HEADERS)
    large = user.post("/userapi/users/", data="x" * 2_000_000, content_type="application/json", headers=BROWSER_HEADERS)
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    typed = browser.post("/userapi/users/", {"first_name": "x" * 2_000_000})

    for page, status, code in (
        (forbidden, 403, "permission_denied"),
        (missing, 404, "not_found"),
        (nowhere, 404, "not_found"),
        (large, 413, "body_too_large"),
        (typed, 413, "body_too_large"),
    ):
        assert page.status_code == status
        assert code in ApiPage(page).response_text
        assert page.headers["Cache-Control"] == "no-store"


def test_429_is_a_page_that_says_when_to_try_again(make_app: Callable[..., Flask]) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_REGISTRATION="1 per hour")
    client = app.test_client()
    assert client.post("/userapi/users/", json=new_user(), headers=BROWSER_HEADERS).status_code == 201

    page = client.post("/userapi/users/", json=new_user(), headers=BROWSER_HEADERS)

    assert page.status_code == 429
    assert int(page.headers["Retry-After"]) > 0
    assert "rate_limited" in ApiPage(page).response_text


def test_406_is_returned_for_other_media_types(user: ApiUser) -> None:
    assert user.get(user.url, headers={"Accept": "application/xml"}).status_code == 406
    assert user.get(user.url, headers={"Accept": "application/xml, text/html"}).mimetype == "text/html"


def test_a_form_without_a_script_is_shown_again_with_what_was_typed_and_what_is_wrong(app: Flask) -> None:
    browser = FormBrowser(app)
    typed = {"email": "wren@example.com", "password": "1", "first_name": "Wren", "profile.city": "Bath"}

    rejected = browser.post("/userapi/users/", typed)
    page = ApiPage(rejected)

    assert rejected.status_code == 400
    assert {"profile.zip", "profile.dob"} <= set(page.errors)
    form = page.forms["POST"]
    assert (form["email"]["value"], form["profile.city"]["value"]) == ("wren@example.com", "Bath")
    assert "value" not in form["password"]
    assert form["profile.zip"]["aria-invalid"] == "true"
    assert form["profile.zip"]["aria-describedby"] == "post-profile-zip-hint post-profile-zip-error"
    assert "aria-invalid" not in form["email"]


def test_a_form_without_a_script_is_accepted_with_its_csrf_token(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    path = "/userapi/auth/password/change/"
    change = {"old_password": PASSWORD, "new_password1": "copper lantern 41 drift"}
    change["new_password2"] = change["new_password1"]
    proof = str(ApiPage(browser.get(path)).forms["POST"]["csrf_token"]["value"])

    without = browser.post(path, change)
    wrong = browser.post(path, {**change, "csrf_token": "0" * 32})
    accepted = browser.post(path, {**change, "csrf_token": proof})

    assert (without.status_code, wrong.status_code, accepted.status_code) == (403, 403, 200)
    assert "csrf_failed" in ApiPage(without).response_text
    assert "Password changed." in ApiPage(accepted).response_text


def test_H09_no_write_of_a_page_is_accepted_with_only_the_cookie(
    app: Flask, user: ApiUser, other_user: ApiUser
) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    page = ApiPage(browser.get(user.url))
    proof = str(page.forms["PATCH"]["csrf_token"]["value"])
    other = FormBrowser(app)
    other.sign_in(other_user.email)
    foreign = str(ApiPage(other.get(other_user.url)).forms["PATCH"]["csrf_token"]["value"])

    def patch(**headers: str) -> Any:
        return browser.client.patch(user.url, json={"first_name": "Robin"}, headers={**BROWSER_HEADERS, **headers})

    rejected = [patch(), patch(**{"X-CSRF-TOKEN": foreign}), patch(**{"X-CSRF-TOKEN": proof[:-1]})]
    accepted = patch(**{"X-CSRF-TOKEN": proof})

    assert [response.status_code for response in rejected] == [403, 403, 403]
    assert "Robin" not in "".join(response.text for response in rejected)
    assert accepted.status_code == 200


def test_a_write_with_a_stale_etag_is_rejected_with_a_readable_error(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    page = ApiPage(browser.get(user.url))
    tag = str(page.attributes["PATCH"]["data-etag"])
    headers = {**BROWSER_HEADERS, "X-CSRF-TOKEN": str(page.forms["PATCH"]["csrf_token"]["value"]), "If-Match": tag}

    first = browser.client.patch(user.url, json={"first_name": "Robin"}, headers=headers)
    second = browser.client.patch(user.url, json={"first_name": "Jay"}, headers=headers)

    assert (first.status_code, second.status_code) == (200, 412)
    assert "The resource has changed since you read it." in ApiPage(second).response_text
    assert (user.url, "Reload") in ApiPage(second).links
    assert user.get(user.url).get_json()["first_name"] == "Robin"


def test_a_page_shows_no_user_after_the_session_has_ended(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    assert user.email in browser.get("/userapi/").text
    user.post("/userapi/auth/logout/", json={"all": True})

    page = browser.get("/userapi/")

    assert page.status_code == 200
    assert user.email not in page.text
    assert browser.get(user.url).status_code == 401


def test_a_page_shows_no_user_for_a_rejected_token(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    assert user.email in user.get("/userapi/auth/user/", headers=BROWSER_HEADERS).text
    browser.client.set_cookie("access_token", user.tokens["access_token"])

    page = browser.get("/userapi/auth/user/")

    assert page.status_code == 401
    assert user.email not in page.text
    assert ApiPage(page).forms == {}


def test_a_rejected_write_is_not_committed_when_the_page_finds_the_caller(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The view changes a row and fails; the page then reads the cookie, which stores when the session was used."""
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    view = app.view_functions["tokens.verify_token"]

    def change_then_reject(**arguments: Any) -> Any:
        db.session.execute(sa.text("UPDATE users SET first_name = 'Changed'"))
        return view(**arguments)

    change_then_reject.access = view.access  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "tokens.verify_token", change_then_reject)
    proof = str(ApiPage(browser.get(user.url)).forms["PATCH"]["csrf_token"]["value"])
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.update(Session).values(last_used_at=clock.now() - timedelta(hours=1)))

    page = browser.post("/api-token-verify/", {"token": "none", "csrf_token": proof})

    assert page.status_code == 401
    assert user.get(user.url).get_json()["first_name"] == "Wren"


def test_a_server_error_is_a_page_without_details_or_user(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    path = "/userapi/"
    assert user.email in browser.get(path).text
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail() -> None:
        raise RuntimeError("the secret inside")

    fail.access = app.view_functions["index.read_index"].access  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "index.read_index", fail)
    monkeypatch.setattr(authentication, "sign_in_by_cookie", fail)
    page = browser.get(path)

    assert page.status_code == 500
    assert "secret inside" not in page.text
    assert page.headers["X-Request-ID"] in page.text
    assert user.email not in page.text
    assert ApiPage(page).forms == {}


def test_every_page_has_the_policy_and_only_scripts_of_this_service(client: FlaskClient, user: ApiUser) -> None:
    for path in ("/userapi/", "/userapi/users/", "/api-token-auth/", "/userapi/nothing/"):
        first, second = (client.get(path, headers=BROWSER_HEADERS) for _ in range(2))

        policy = first.headers["Content-Security-Policy"]
        (nonce,) = re.findall(r"script-src 'nonce-([\w-]{20,})'", policy)
        assert "unsafe" not in policy
        assert nonce not in second.text
        assert [script["nonce"] for script in ApiPage(first).scripts] == [nonce, nonce]
        assert all(script["src"].startswith("/static/") for script in ApiPage(first).scripts)
        assert first.headers["X-Frame-Options"] == "DENY"
        assert first.headers["Referrer-Policy"] == "same-origin"
        assert "Set-Cookie" not in first.headers


def test_a_blank_input_is_null_where_the_field_allows_it(app: Flask) -> None:
    wanted = new_user()
    profile = {f"profile.{name}": value for name, value in wanted.pop("profile").items()}

    made = FormBrowser(app).post(
        "/userapi/users/", {**wanted, **profile, "username": "", "language": "", "last_name": ""}
    )
    rejected = FormBrowser(app).post("/userapi/users/", {**wanted, **profile, "email": ""})

    assert made.status_code == 201
    assert '"username": null' in ApiPage(made).response_text
    assert '"last_name": ""' in ApiPage(made).response_text
    assert (rejected.status_code, list(ApiPage(rejected).errors)) == (400, ["email"])


def test_a_404_page_says_so_in_its_title_and_has_no_forms_for_changes(app: Flask, superuser: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(superuser.email)

    response = browser.get("/userapi/users/999999/")

    assert "<h1>Not found</h1>" in response.text
    assert {"PATCH", "PUT", "DELETE"}.isdisjoint(ApiPage(response).forms)
