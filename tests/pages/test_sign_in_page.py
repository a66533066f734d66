"""The sign-in page."""

import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD
from tests.support.form_browser import FormBrowser, hidden_value, input_value

SITE = "http://localhost"

#: URLs of other sites that some browsers or parsers took for paths, and URLs without a site.
LEADING_AWAY = [
    "https://evil.example/",
    "http://evil.example",
    "HTTPS://evil.example",
    "//evil.example",
    "//evil.example/account/",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "//\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "/\x00/evil.example",
    " //evil.example",
    "\u00a0//evil.example",
    "\u3000//evil.example",
    "//evil。example",
    "/／evil.example",
    "https:evil.example",
    "https:/evil.example",
    "http:///evil.example",
    "http:\\\\evil.example",
    "//localhost@evil.example",
    "https://localhost.evil.example/",
    "https://evil.example/?localhost",
    "https://evil.example#localhost",
    "//[::1]/",
    "//0x7f000001/",
    "evil.example",
    ".evil.example",
    "@evil.example",
    ":80@evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "mailto:evil@evil.example",
    "/account/\r\nSet-Cookie: stolen=1",
    "/account/\r\nLocation: https://evil.example",
    "/.//evil.example",
    "/account//evil.example",
    "/a" * 600,
    "",
]

STAYING = ["/account/", "/admin/user/?page=2&search=a%20b", "/userapi/", "/admin/user/edit/?id=7&url=/admin/user/"]


def test_L03_the_correct_password_signs_in_and_a_wrong_one_gets_the_error_of_the_api(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    rejected = browser.sign_in(user.email, "wrong password 7")
    accepted = browser.sign_in(user.email)

    api = app.test_client().post("/api-token-auth/", json={"email": user.email, "password": "wrong password 7"})
    assert rejected.status_code == api.status_code == 401
    assert api.get_json()["detail"] in rejected.text
    assert accepted.headers["Location"] == "/account/"
    assert user.email in browser.follow(accepted).text


@pytest.mark.parametrize("kind", ["unknown", "inactive"])
def test_L01_a_failed_sign_in_reveals_nothing_about_the_account(
    app: Flask, user: ApiUser, superuser: ApiUser, kind: str
) -> None:
    if kind == "inactive":
        superuser.patch(user.url, json={"is_active": False})
    known, other = FormBrowser(app), FormBrowser(app)
    email_address = user.email if kind == "inactive" else "unknown@example.com"

    wrong = known.sign_in(superuser.email, "wrong password 7")
    rejected = other.sign_in(email_address, PASSWORD)

    assert rejected.status_code == wrong.status_code == 401
    assert other.cookie("access_token") is None
    texts = [
        re.sub('nonce="[^"]+"', "", page.text.replace(email, "").replace(hidden_value(page), ""))
        for page, email in ((rejected, email_address), (wrong, superuser.email))
    ]
    assert texts[0] == texts[1]


def test_H15_a_rejected_form_keeps_what_was_typed_except_the_password_and_says_what_is_wrong(
    app: Flask, user: ApiUser
) -> None:
    page = FormBrowser(app).sign_in(user.email, "wrong password 7")

    assert input_value(page, "email") == user.email
    assert input_value(page, "password") is None
    assert "wrong password 7" not in page.text
    assert 'role="alert"' in page.text
    assert "<title>Error: Sign in" in page.text


def test_H15_the_form_helps_password_managers_and_screen_readers(app: Flask) -> None:
    page = FormBrowser(app).get("/login/").text

    assert '<label for="email">Email</label>' in page
    assert 'type="email"' in page
    assert 'autocomplete="username webauthn"' in page
    assert 'type="password" class="form-control" required autocomplete="current-password"' in page
    assert "onpaste" not in page


@pytest.mark.parametrize(
    "forgery", ["no token", "another's token", "no cookie", "another's cookie", "a session's token"]
)
def test_H15_a_forged_form_signs_no_one_in(app: Flask, user: ApiUser, forgery: str) -> None:
    browser, attacker = FormBrowser(app), FormBrowser(app)
    credentials = {"email": user.email, "password": PASSWORD}
    token = hidden_value(browser.get("/login/"))
    other = hidden_value(attacker.get("/login/"))
    if forgery == "no token":
        token = ""
    elif forgery == "another's token":
        token = other
    elif forgery == "no cookie":
        browser.client.delete_cookie("visitor")
    elif forgery == "another's cookie":
        browser.client.set_cookie("visitor", str(attacker.cookie("visitor").value))
    else:
        attacker.sign_in(user.email)
        token = hidden_value(attacker.get("/account/"))

    rejected = browser.post("/login/", {**credentials, "csrf_token": token})

    assert rejected.status_code == 403
    assert browser.cookie("access_token") is None
    assert browser.sign_in(user.email).status_code == 303


def test_A06_the_session_is_new_with_each_sign_in(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.client.set_cookie("access_token", user.tokens["access_token"])
    browser.get("/login/")
    before = {name: browser.cookie(name).value for name in ("visitor", "access_token")}

    browser.sign_in(user.email)
    first = browser.cookie("access_token").value
    visitor = browser.cookie("visitor")
    browser.sign_in(user.email)

    assert first != before["access_token"]
    assert visitor is None
    assert browser.cookie("access_token").value not in (first, before["access_token"])


def test_A06_a_bearer_token_in_the_cookie_opens_no_page(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    browser.client.set_cookie("access_token", user.tokens["access_token"])
    planted = browser.get("/account/")

    assert planted.headers["Location"].startswith("/login/")
    browser.sign_in(user.email)
    assert browser.get("/account/").status_code == 200


@pytest.mark.parametrize("target", LEADING_AWAY, ids=range(len(LEADING_AWAY)))
def test_A10_H14_next_never_leaves_the_site(app: Flask, user: ApiUser, target: str) -> None:
    browser = FormBrowser(app)

    page = browser.get("/login/", query_string={"next": target})
    response = browser.sign_in(user.email, next=target)

    assert hidden_value(page, "next") == ""
    assert response.headers["Location"] == "/account/"
    assert response.headers.get_all("Location") == ["/account/"]
    assert "stolen" not in str(response.headers)


@pytest.mark.parametrize("target", STAYING)
def test_A10_next_leads_back_to_where_the_visitor_was_going(app: Flask, user: ApiUser, target: str) -> None:
    browser = FormBrowser(app)

    page = browser.get("/login/", query_string={"next": target})
    response = browser.sign_in(user.email, next=hidden_value(page, "next"))

    assert response.headers["Location"] == target
    assert urlsplit(urljoin(SITE, target)).netloc == "localhost"


def test_a_page_that_requires_a_session_leads_to_the_form_and_back(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    sent = browser.get("/password_change/?from=mail")
    form = browser.follow(sent)
    response = browser.post(
        "/login/",
        {
            "email": user.email,
            "password": PASSWORD,
            "next": hidden_value(form, "next"),
            "csrf_token": hidden_value(form),
        },
    )

    assert response.headers["Location"] == "/password_change/?from=mail"


@pytest.mark.parametrize("path", ["/account/", "/account/email/", "/password_change/", "/account/sessions/end-others/"])
def test_a_form_sent_after_the_session_ended_leads_to_sign_in(app: Flask, user: ApiUser, path: str) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    token = hidden_value(browser.get("/account/"))
    user.delete("/userapi/auth/sessions/")

    response = browser.post(path, {"csrf_token": token})

    form = "/password_change/" if path == "/password_change/" else "/account/"
    assert response.headers["Location"] == f"/login/?next={form}"
    assert browser.cookie("access_token") is None


def test_a_user_who_signed_in_in_another_tab_continues(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    other_tab = {"email": user.email, "password": PASSWORD, "next": "/password_change/"}
    token = hidden_value(browser.get("/login/?next=/password_change/"))
    browser.sign_in(user.email)

    response = browser.post("/login/", {**other_tab, "csrf_token": token})

    assert (response.status_code, response.headers["Location"]) == (303, "/password_change/")
    assert browser.get("/password_change/").status_code == 200


def test_without_a_session_a_forged_sign_in_form_is_rejected(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    assert browser.post("/login/", {"email": user.email, "password": PASSWORD, "csrf_token": "x"}).status_code == 403


def test_password_managers_find_the_page_that_changes_a_password(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    response = browser.get("/.well-known/change-password")

    assert (response.status_code, response.headers["Location"]) == (303, "/password_change/")


def test_L13_a_field_sent_twice_is_rejected(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    token = hidden_value(browser.get("/login/"))

    rejected = browser.client.post(
        "/login/", data={"email": [user.email, "b@example.com"], "password": PASSWORD, "csrf_token": token}
    )

    assert rejected.status_code == 400
    assert browser.cookie("access_token") is None


def test_A11_L03_the_page_and_the_api_count_guesses_together(make_app: Callable[..., Flask]) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_PAIR="4 per hour")
    browser, api = FormBrowser(app), app.test_client()
    guess = {"email": "unknown@example.com", "password": "wrong password 7"}
    for _ in range(2):
        assert browser.sign_in(guess["email"], guess["password"]).status_code == 401
        assert api.post("/api-token-auth/", json=guess).status_code == 401

    by_page = browser.sign_in(guess["email"], guess["password"])
    by_api = api.post("/api-token-auth/", json=guess)

    assert by_page.status_code == by_api.status_code == 429
    assert int(by_page.headers["Retry-After"]) > 0
    assert "Try again in 60 minutes." in by_page.text
    assert input_value(by_page, "email") == guess["email"]
