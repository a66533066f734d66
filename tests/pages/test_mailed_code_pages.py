"""The pages for signing in with a code or link from an email."""

from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.factories import make_user
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value
from tests.support.mailed_codes import code_in, link_in, newest_email, other_code
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows

EMAIL = "wren@example.com"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An application whose emails have a code and a link, with one user."""
    app = make_app(SIGN_IN_BY_MAIL="link")
    make_user(app, email=EMAIL, email_verified=True)
    return app


def path_of_link(app: Flask) -> str:
    """The path of the link in the newest email."""
    return link_in(newest_email(app, EMAIL)).removeprefix("http://accounts.example.com")


def count_sessions(app: Flask) -> int:
    return fetch_number(app, "SELECT count(*) FROM login_sessions")


def test_the_sign_in_page_leads_to_a_code_and_back_to_the_requested_page(app: Flask) -> None:
    browser = FormBrowser(app)

    assert 'href="/login/code/?next=/account/security/"' in browser.get("/login/?next=/account/security/").text
    sent = browser.send("/login/code/", {"email": EMAIL, "next": "/account/security/"})
    assert sent.headers["Location"] == "/login/code/sent/"
    page = browser.follow(sent)
    assert EMAIL in page.text
    assert 'autocomplete="one-time-code"' in page.text
    assert 'inputmode="numeric"' in page.text
    code = code_in(newest_email(app, EMAIL))
    wrong = browser.send("/login/code/sent/", {"code": other_code(code)})
    assert wrong.status_code == 401
    assert "This code is not valid" in wrong.text
    assert code not in wrong.text
    signed_in = browser.send("/login/code/sent/", {"code": code})

    assert signed_in.headers["Location"] == "/account/security/"
    assert browser.follow(signed_in).status_code == 200
    assert browser.cookie("sign_in_code") is None


def test_without_codes_the_pages_do_not_exist(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    browser = FormBrowser(app)

    assert "/login/code/" not in browser.get("/login/").text
    assert browser.get("/login/code/").status_code == 404
    assert browser.get("/login/code/sent/").status_code == 404
    assert browser.get("/sign-in/t0ken/").status_code == 400


def test_a_link_signs_in_with_one_button_where_it_was_requested(app: Flask) -> None:
    browser = FormBrowser(app)
    browser.send("/login/code/", {"email": EMAIL, "next": "/account/security/"})
    path = path_of_link(app)

    page = browser.get(path)
    assert 'name="code"' not in page.text
    assert "w…@e….com" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    signed_in = browser.send(path)

    assert signed_in.headers["Location"] == "/account/security/"
    assert count_sessions(app) == 1
    assert browser.get(path).status_code == 400
    assert FormBrowser(app).get(path).status_code == 400


def test_a_form_that_is_sent_twice_requests_one_code(app: Flask) -> None:
    browser = FormBrowser(app)
    page = browser.get("/login/code/")

    form = {"email": EMAIL, "csrf_token": hidden_value(page), "form_id": hidden_value(page, "form_id")}
    assert browser.post("/login/code/", form).status_code == 303
    assert browser.post("/login/code/", form).status_code == 303

    assert fetch_rows(app, "SELECT count(*) FROM sign_in_codes") == [(1,)]
    signed_in = browser.send("/login/code/sent/", {"code": code_in(newest_email(app, EMAIL))})
    assert signed_in.status_code == 303


def test_E07_what_opens_links_and_presses_buttons_does_not_use_a_link_up(app: Flask) -> None:
    owner = FormBrowser(app)
    owner.send("/login/code/", {"email": EMAIL})
    path = path_of_link(app)
    scanner = FormBrowser(app)

    for _ in range(10):
        assert scanner.get(path).status_code == 200
        assert scanner.client.head(path).status_code == 200
        assert scanner.client.get(path, headers={"Sec-Purpose": "prefetch"}).status_code == 200
        assert scanner.send(path).status_code == 401
        assert scanner.send(path, {"code": ""}).status_code == 400
        assert scanner.send(path, {"code": "test"}).status_code == 401

    assert count_sessions(app) == 0
    assert fetch_number(app, "SELECT tries FROM sign_in_codes") == 0
    assert owner.send(path).headers["Location"] == "/account/"


def test_E08_a_link_opened_elsewhere_signs_in_only_with_the_code_and_only_there(app: Flask) -> None:
    requested_in, elsewhere = FormBrowser(app), FormBrowser(app)
    requested_in.send("/login/code/", {"email": EMAIL})
    path, code = path_of_link(app), code_in(newest_email(app, EMAIL))

    assert 'name="code"' in elsewhere.get(path).text
    assert elsewhere.send(path).status_code == 401
    assert elsewhere.send(path, {"code": other_code(code)}).status_code == 401
    assert count_sessions(app) == 0
    assert elsewhere.send(path, {"code": code}).status_code == 303

    assert elsewhere.get("/account/").status_code == 200
    assert requested_in.get("/account/").status_code == 303
    assert requested_in.send("/login/code/sent/", {"code": code}).status_code == 401
    assert count_sessions(app) == 1


def test_E09_the_link_of_an_attacker_names_the_account_and_wants_the_code(app: Flask) -> None:
    make_user(app, email="mallory@evil.example.net", email_verified=True)
    attacker, victim = FormBrowser(app), FormBrowser(app)
    attacker.send("/login/code/", {"email": "mallory@evil.example.net"})
    victim.send("/login/code/", {"email": EMAIL})
    path = link_in(newest_email(app, "mallory@evil.example.net")).removeprefix("http://accounts.example.com")

    page = victim.get(path)

    assert "m…@e….net" in page.text
    assert 'name="code"' in page.text
    assert victim.send(path).status_code == 401
    assert victim.send(path, {"code": code_in(newest_email(app, EMAIL))}).status_code == 401
    assert victim.get("/account/").status_code == 303
    assert count_sessions(app) == 0


def test_E17_the_second_step_follows_on_the_next_page(app: Flask) -> None:
    phone, _codes = set_up_app(app, fetch_number(app, "SELECT id FROM users"))
    browser = FormBrowser(app)
    browser.send("/login/code/", {"email": EMAIL, "next": "/account/security/"})

    first = browser.send("/login/code/sent/", {"code": code_in(newest_email(app, EMAIL))})
    assert first.headers["Location"] == "/login/second-step/?next=/account/security/"
    typed = {"code": phone.code(), "next": "/account/security/"}
    finished = browser.send("/login/second-step/", typed, form_on=first.headers["Location"])

    assert finished.headers["Location"] == "/account/security/"


def test_E13_the_page_says_that_the_password_was_removed(app: Flask) -> None:
    execute_sql(app, "UPDATE users SET email_verified_at = NULL")
    browser = FormBrowser(app)
    browser.send("/login/code/", {"email": EMAIL})

    signed_in = browser.send("/login/code/sent/", {"code": code_in(newest_email(app, EMAIL))})

    assert "the earlier password was removed" in browser.follow(signed_in).text


def test_a_browser_that_requested_no_code_is_led_to_the_form_that_does(app: Flask) -> None:
    browser = FormBrowser(app)

    missing = browser.get("/login/code/sent/")
    assert missing.headers["Location"] == "/login/code/"
    assert "Request another one" in browser.follow(missing).text


def test_a_foreign_path_is_no_page_to_continue_with(app: Flask) -> None:
    browser = FormBrowser(app)
    browser.send("/login/code/", {"email": EMAIL, "next": "//evil.example.net/"})

    signed_in = browser.send("/login/code/sent/", {"code": code_in(newest_email(app, EMAIL))})

    assert signed_in.headers["Location"] == "/account/"


def test_a_second_click_on_sign_in_gets_the_response_of_the_first(app: Flask) -> None:
    browser = FormBrowser(app)
    browser.send("/login/code/", {"email": EMAIL, "next": "/account/security/"})
    page = browser.get("/login/code/sent/")
    form = {
        "code": code_in(newest_email(app, EMAIL)),
        "csrf_token": hidden_value(page),
        "form_id": hidden_value(page, "form_id"),
    }

    def click() -> tuple[int, str | None]:
        other = app.test_client()  # has only the cookies from before the first response
        for name in ("sign_in_code", "visitor"):
            cookie = browser.cookie(name)
            if cookie is not None:
                other.set_cookie(name, cookie.value)
        response = other.post("/login/code/sent/", data=form, headers=BROWSER_HEADERS)
        assert any(value.startswith("access_token=") for value in response.headers.getlist("Set-Cookie")), response.text
        return response.status_code, response.headers.get("Location")

    assert [click(), click()] == [(303, "/account/security/")] * 2
    assert count_sessions(app) == 1


def test_over_tls_the_cookie_of_a_request_cannot_be_set_by_other_sites(make_app: Callable[..., Flask]) -> None:
    app = make_app(SIGN_IN_BY_MAIL="code", SITE_URL="https://accounts.example.com")
    make_user(app, email=EMAIL, email_verified=True)
    browser = FormBrowser(app)
    browser.client.environ_base["wsgi.url_scheme"] = "https"

    def cookie_of(response: TestResponse) -> str:
        (found,) = [value for value in response.headers.getlist("Set-Cookie") if "sign_in_code" in value]
        return found

    sent = cookie_of(browser.send("/login/code/", {"email": EMAIL}))
    gone = cookie_of(browser.send("/login/code/sent/", {"code": code_in(newest_email(app, EMAIL))}))

    assert sent.startswith("__Host-sign_in_code=")
    assert all(part in sent for part in ("Secure", "HttpOnly", "Path=/;", "SameSite=Lax"))
    assert gone.startswith("__Host-sign_in_code=;")
    assert "Secure" in gone
