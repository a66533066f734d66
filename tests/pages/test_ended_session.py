"""After a session ended while a form was open: a message, the form again, and what was typed (F3)."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, make_user
from tests.support.form_browser import FormBrowser, hidden_value, input_value
from userapi.core import clock
from userapi.core.db import db
from userapi.security.encryption import encrypt_json

ENDED = "Your session has ended. Sign in to continue."
GIVEN_BACK = "This is what you typed before your session ended."


def open_form(app: Flask, user: ApiUser, path: str = "/account/") -> tuple[FormBrowser, dict[str, str]]:
    """A signed-in browser that has opened a form, and the hidden fields of the form."""
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    page = browser.get(path)
    return browser, {"csrf_token": hidden_value(page), "form_id": hidden_value(page, "form_id")}


def end_sessions(user: ApiUser) -> None:
    assert user.delete("/userapi/auth/sessions/").status_code == 204


def sign_in_again(browser: FormBrowser, response: TestResponse, email: str) -> TestResponse:
    """Follow the redirect to the sign-in form, sign in, and follow the redirect after that."""
    form = browser.follow(response)
    assert ENDED in form.text
    signed_in = browser.post(
        "/login/",
        {"email": email, "password": PASSWORD, "csrf_token": hidden_value(form), "next": hidden_value(form, "next")},
    )
    return browser.follow(signed_in)


def test_the_profile_that_was_typed_comes_back_and_is_not_saved(app: Flask, user: ApiUser) -> None:
    browser, form = open_form(app, user)
    end_sessions(user)
    typed = {"first_name": "Robin", "profile.address": "A long new address I typed", "language": "de"}

    response = browser.post("/account/", {**form, **typed})
    page = sign_in_again(browser, response, user.email)

    assert response.headers["Location"] == "/login/?next=/account/"
    assert GIVEN_BACK in page.text
    assert input_value(page, "first_name") == "Robin"
    assert input_value(page, "profile.address") == "A long new address I typed"
    assert '<option value="de" lang="de" selected>' in page.text
    assert user.get("/userapi/auth/user/").get_json()["first_name"] == "Wren"
    assert input_value(browser.get("/account/"), "first_name") == "Wren"


def test_a_new_email_comes_back_without_the_password(app: Flask, user: ApiUser) -> None:
    browser, form = open_form(app, user, "/account/security/")
    end_sessions(user)

    response = browser.post("/account/security/email/", {**form, "email": "new@example.org", "password": PASSWORD})
    cookie = browser.cookie("kept_form", "/account/security/").value
    page = sign_in_again(browser, response, user.email)

    assert input_value(page, "email") == "new@example.org"
    assert "<details open>" in page.text
    assert PASSWORD not in page.text
    assert "new@example.org" not in cookie
    assert user.get("/userapi/auth/user/").get_json()["pending_email"] is None


def test_passwords_are_never_kept(app: Flask, user: ApiUser) -> None:
    browser, form = open_form(app, user, "/password_change/")
    end_sessions(user)
    typed = dict.fromkeys(("old_password", "new_password1", "new_password2"), PASSWORD)

    response = browser.post("/password_change/", {**form, **typed})

    assert response.headers["Location"] == "/login/?next=/password_change/"
    page = sign_in_again(browser, response, user.email)
    assert PASSWORD not in page.text
    assert GIVEN_BACK not in page.text


def test_what_was_typed_is_given_back_only_to_the_same_user(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    browser, form = open_form(app, user)
    end_sessions(user)

    response = browser.post("/account/", {**form, "first_name": "Robin"})
    page = sign_in_again(browser, response, other_user.email)

    assert input_value(page, "first_name") == "Wren"
    assert GIVEN_BACK not in page.text


def test_what_was_typed_is_bound_to_its_page_and_its_time(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, form = open_form(app, user)
    end_sessions(user)
    response = browser.post("/account/", {**form, "first_name": "Robin"})
    cookie = browser.cookie("kept_form", "/account/")
    assert (cookie.path, cookie.http_only, cookie.same_site, cookie.max_age) == ("/account/", True, "Lax", 3600)
    with app.app_context():
        elsewhere = encrypt_json("kept", {"user": user.id, "path": "/admin/", "values": [["first_name", "Eve"]]})
        monkeypatch.setattr("time.time", lambda: clock.now().timestamp() - 3700)
        old = encrypt_json("kept", {"user": user.id, "path": "/account/", "values": [["first_name", "Eve"]]})
        monkeypatch.undo()
    browser.follow(response)
    browser.sign_in(user.email)

    for forged in (elsewhere, old, cookie.value[:-4] + "AAAA", "x", "é"):
        browser.client.set_cookie("kept_form", forged, path="/account/")
        page = browser.get("/account/")
        assert (page.status_code, input_value(page, "first_name")) == (200, "Wren")


def test_another_site_cannot_put_words_into_a_form(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    """Values are only restored with the encrypted form id that this user got, never with that of another user."""
    _other, foreign = open_form(app, other_user)

    for form_id in ("", "made up", foreign["form_id"]):
        browser, form = open_form(app, user)
        browser.client.delete_cookie("access_token")
        response = browser.post("/account/", {**form, "form_id": form_id, "first_name": "Eve"})
        assert response.headers["Location"] == "/login/?next=/account/"
        browser.sign_in(user.email)
        assert input_value(browser.get("/account/"), "first_name") == "Wren"


def test_a_form_too_large_for_the_cookie_is_reported_as_lost(app: Flask, user: ApiUser) -> None:
    browser, form = open_form(app, user)
    end_sessions(user)
    noise = "".join(chr(0x4E00 + (7919 * number * number) % 20000) for number in range(3000))

    response = browser.post("/account/", {**form, "profile.address": noise})

    assert "What you typed could not be saved" in browser.follow(response).text


def test_a_form_of_an_earlier_session_is_shown_again_with_what_was_typed(app: Flask, user: ApiUser) -> None:
    """After signing in again in another tab, the open form has the CSRF token of the earlier session."""
    browser, form = open_form(app, user)
    end_sessions(user)
    browser.sign_in(user.email)

    response = browser.post("/account/", {**form, "first_name": "Robin"})
    page = browser.follow(response)

    assert response.headers["Location"] == "/account/"
    assert "nothing was saved" in page.text
    assert input_value(page, "first_name") == "Robin"
    assert user.get("/userapi/auth/user/").get_json()["first_name"] == "Wren"


def test_after_signing_out_in_another_tab_what_was_typed_comes_back(app: Flask, user: ApiUser) -> None:
    browser, form = open_form(app, user)
    browser.send("/logout/")

    response = browser.post("/account/", {**form, "first_name": "Robin"})

    assert input_value(sign_in_again(browser, response, user.email), "first_name") == "Robin"


def test_looking_at_a_page_after_the_session_ended_says_so(app: Flask, user: ApiUser) -> None:
    browser, _form = open_form(app, user)
    end_sessions(user)

    response = browser.get("/account/?lang=en")

    assert response.headers["Location"].startswith("/login/?next=/account/")
    assert ENDED in browser.follow(response).text
    assert ENDED not in FormBrowser(app).follow(FormBrowser(app).get("/account/")).text


def test_an_idle_session_counts_as_ended(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    make_user(app, email="ada@example.com")
    browser = FormBrowser(app)
    browser.sign_in("ada@example.com")
    page = browser.get("/account/")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE login_sessions SET last_used_at = '2026-01-01 00:00:00+00:00'"))

    response = browser.post(
        "/account/", {"csrf_token": hidden_value(page), "form_id": hidden_value(page, "form_id"), "first_name": "Robin"}
    )

    assert input_value(sign_in_again(browser, response, "ada@example.com"), "first_name") == "Robin"


@pytest.mark.parametrize("path", ["/account/", "/admin/users/new/", "/register/"])
@pytest.mark.parametrize("kind", ["too large", "not UTF-8", "too many fields"])
@pytest.mark.parametrize("cookies", [True, False])
def test_an_unreadable_form_is_no_server_error(app: Flask, user: ApiUser, path: str, kind: str, cookies: bool) -> None:
    browser, form = open_form(app, user)
    end_sessions(user)
    if not cookies:
        browser.client.delete_cookie("access_token")
    content = {
        "too large": b"first_name=" + b"x" * 20_000_000,
        "not UTF-8": b"form_id=" + form["form_id"].encode() + b"&first_name=Ren%E9",
        "too many fields": b"&".join(b"f%d=x" % number for number in range(5000)),
    }[kind]

    response = browser.client.post(
        path, data=content, content_type="application/x-www-form-urlencoded", headers={"Accept": "text/html"}
    )

    assert response.status_code < 500, response.text


@pytest.mark.parametrize("path", ["/account/", "/account/security/", "/password_change/"])
def test_a_form_of_another_account_is_not_offered_to_the_present_one(
    app: Flask, user: ApiUser, other_user: ApiUser, path: str
) -> None:
    browser, form = open_form(app, user, path)
    browser.sign_in(other_user.email)
    typed = {"first_name": "Robin", "email": "robin@example.org"}

    response = browser.post(path if path != "/account/security/" else f"{path}email/", {**form, **typed})
    page = browser.follow(response)

    assert response.headers["Location"] == path
    assert f"nothing was saved. You are now signed in as {other_user.email}." in page.text
    assert "submit it again" not in page.text
    assert "Robin" not in page.text
    assert "robin@example.org" not in page.text
    assert browser.cookie("kept_form", path) is None
