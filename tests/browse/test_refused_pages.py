"""Refusals are pages for a browser as well: the same status, the same headers, and what to do next."""

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
from userapi.auth import authentication
from userapi.auth.models import Session
from userapi.core import clock
from userapi.core.db import db


def test_401_leads_to_the_sign_in_and_back(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    refused = browser.get(user.url)
    (sign_in,) = {path for path, _text in ApiPage(refused).links if path.startswith("/login/?next")}
    answer = browser.send("/login/", {"email": user.email, "password": user.password}, form_on=sign_in)

    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="userapi"'
    assert "not_authenticated" in refused.text
    assert ApiPage(browser.get(sign_in)).forms["post"]["next"]["value"] == user.url
    assert answer.status_code == 303


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
        assert code in ApiPage(page).answer
        assert page.headers["Cache-Control"] == "no-store"


def test_429_is_a_page_that_says_when_to_try_again(make_app: Callable[..., Flask]) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_REGISTRATION="1 per hour")
    client = app.test_client()
    assert client.post("/userapi/users/", json=new_user(), headers=BROWSER_HEADERS).status_code == 201

    page = client.post("/userapi/users/", json=new_user(), headers=BROWSER_HEADERS)

    assert page.status_code == 429
    assert int(page.headers["Retry-After"]) > 0
    assert "rate_limited" in ApiPage(page).answer


def test_406_stays_a_refusal_of_everything_that_we_have_not(user: ApiUser) -> None:
    assert user.get(user.url, headers={"Accept": "application/xml"}).status_code == 406
    assert user.get(user.url, headers={"Accept": "application/xml, text/html"}).mimetype == "text/html"


def test_a_form_without_a_script_is_shown_again_with_what_was_typed_and_what_is_wrong(app: Flask) -> None:
    browser = FormBrowser(app)
    typed = {"email": "wren@example.com", "password": "1", "first_name": "Wren", "profile.city": "Bath"}

    refused = browser.post("/userapi/users/", typed)
    page = ApiPage(refused)

    assert refused.status_code == 400
    assert {"profile.zip", "profile.dob"} <= set(page.errors)
    form = page.forms["POST"]
    assert (form["email"]["value"], form["profile.city"]["value"]) == ("wren@example.com", "Bath")
    assert "value" not in form["password"]
    assert form["profile.zip"]["aria-invalid"] == "true"
    assert form["profile.zip"]["aria-describedby"] == "post-profile-zip-hint post-profile-zip-error"
    assert "aria-invalid" not in form["email"]


def test_a_form_without_a_script_is_taken_with_the_proof_that_it_is_ours(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    path = "/userapi/auth/password/change/"
    change = {"old_password": PASSWORD, "new_password1": "copper lantern 41 drift"}
    change["new_password2"] = change["new_password1"]
    proof = str(ApiPage(browser.get(path)).forms["POST"]["csrf_token"]["value"])

    without = browser.post(path, change)
    wrong = browser.post(path, {**change, "csrf_token": "0" * 32})
    taken = browser.post(path, {**change, "csrf_token": proof})

    assert (without.status_code, wrong.status_code, taken.status_code) == (403, 403, 200)
    assert "csrf_failed" in ApiPage(without).answer
    assert "Password changed." in ApiPage(taken).answer


def test_H09_no_write_of_a_page_is_taken_on_the_cookie_alone(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    page = ApiPage(browser.get(user.url))
    proof = str(page.forms["PATCH"]["csrf_token"]["value"])
    other = FormBrowser(app)
    other.sign_in(other_user.email)
    foreign = str(ApiPage(other.get(other_user.url)).forms["PATCH"]["csrf_token"]["value"])

    def patch(**headers: str) -> Any:
        return browser.client.patch(user.url, json={"first_name": "Robin"}, headers={**BROWSER_HEADERS, **headers})

    refused = [patch(), patch(**{"X-CSRF-TOKEN": foreign}), patch(**{"X-CSRF-TOKEN": proof[:-1]})]
    taken = patch(**{"X-CSRF-TOKEN": proof})

    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert "Robin" not in "".join(answer.text for answer in refused)
    assert taken.status_code == 200


def test_a_write_with_a_stale_etag_is_refused_readably(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    page = ApiPage(browser.get(user.url))
    tag = str(page.attributes["PATCH"]["data-etag"])
    headers = {**BROWSER_HEADERS, "X-CSRF-TOKEN": str(page.forms["PATCH"]["csrf_token"]["value"]), "If-Match": tag}

    first = browser.client.patch(user.url, json={"first_name": "Robin"}, headers=headers)
    second = browser.client.patch(user.url, json={"first_name": "Jay"}, headers=headers)

    assert (first.status_code, second.status_code) == (200, 412)
    assert "The resource has changed since you read it." in ApiPage(second).answer
    assert (user.url, "Reload") in ApiPage(second).links
    assert user.get(user.url).get_json()["first_name"] == "Robin"


def test_after_the_session_has_ended_a_page_knows_nobody(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    assert user.email in browser.get("/userapi/").text
    user.post("/userapi/auth/logout/", json={"all": True})

    page = browser.get("/userapi/")

    assert page.status_code == 200
    assert user.email not in page.text
    assert browser.get(user.url).status_code == 401


def test_a_refused_token_names_nobody_on_the_page(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    assert user.email in user.get("/userapi/auth/user/", headers=BROWSER_HEADERS).text
    browser.client.set_cookie("access_token", user.tokens["access_token"])

    page = browser.get("/userapi/auth/user/")

    assert page.status_code == 401
    assert user.email not in page.text
    assert ApiPage(page).forms == {}


def test_a_refused_write_is_not_committed_by_the_look_at_who_asks(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The view changes something and is refused; the page then looks at the cookie, which notes the session's use."""
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    view = app.view_functions["tokens.verify_token"]

    def change_then_refuse(**arguments: Any) -> Any:
        db.session.execute(sa.text("UPDATE users SET first_name = 'Changed'"))
        return view(**arguments)

    change_then_refuse.access = view.access  # type: ignore[attr-defined]
    monkeypatch.setitem(app.view_functions, "tokens.verify_token", change_then_refuse)
    proof = str(ApiPage(browser.get(user.url)).forms["PATCH"]["csrf_token"]["value"])
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.update(Session).values(last_used_at=clock.now() - timedelta(hours=1)))

    page = browser.post("/api-token-verify/", {"token": "none", "csrf_token": proof})

    assert page.status_code == 401
    assert user.get(user.url).get_json()["first_name"] == "Wren"


def test_a_failure_of_ours_is_a_page_that_asks_nobody_and_tells_nothing(
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


def test_every_page_has_the_policy_and_scripts_of_ours_alone(client: FlaskClient, user: ApiUser) -> None:
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


def test_a_blank_in_a_form_is_null_where_the_field_may_be(app: Flask) -> None:
    wanted = new_user()
    profile = {f"profile.{name}": value for name, value in wanted.pop("profile").items()}

    made = FormBrowser(app).post(
        "/userapi/users/", {**wanted, **profile, "username": "", "language": "", "last_name": ""}
    )
    refused = FormBrowser(app).post("/userapi/users/", {**wanted, **profile, "email": ""})

    assert made.status_code == 201
    assert '"username": null' in ApiPage(made).answer
    assert '"last_name": ""' in ApiPage(made).answer
    assert (refused.status_code, list(ApiPage(refused).errors)) == (400, ["email"])


def test_a_page_about_nothing_is_titled_so_and_offers_no_changes(app: Flask, superuser: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(superuser.email)

    response = browser.get("/userapi/users/999999/")

    assert "<h1>Not found</h1>" in response.text
    assert {"PATCH", "PUT", "DELETE"}.isdisjoint(ApiPage(response).forms)
