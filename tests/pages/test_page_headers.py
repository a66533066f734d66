"""The headers and cookies of every page, and what no page contains."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value, input_value
from tests.support.staff_client import staff_client

PAGES = (
    "/login/",
    "/logout/",
    "/register/",
    "/password_reset/",
    "/password_reset/done/",
    "/reset/1/nothing/",
    "/reset/done/",
    "/verify-email/nothing/",
    "/verify-email/",
    "/register/profile/",
    "/account/",
    "/account/security/",
    "/account/devices/",
    "/account/activity/",
    "/account/data/",
    "/password_change/",
    "/nothing/",
)


@pytest.mark.parametrize(
    "path", [*PAGES, "/admin/", "/admin/users/", "/admin/nothing/", "/userapi/", "/userapi/users/"]
)
def test_a_page_begins_with_its_doctype(app: Flask, path: str) -> None:
    page = (
        staff_client(app, is_staff=True, is_superuser=True, profile=None).client.get(path, headers=BROWSER_HEADERS).text
    )

    assert page.startswith("<!doctype html>")


@pytest.mark.parametrize("path", PAGES)
def test_H01_to_H05_every_page_has_the_policy_and_is_not_cached(app: Flask, user: ApiUser, path: str) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    page = browser.get(path)

    assert page.mimetype == "text/html"
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert page.headers["Cache-Control"] == "no-store"
    assert "publickey-credentials-get=(self)" in page.headers["Permissions-Policy"]
    policy = page.headers["Content-Security-Policy"]
    for directive in ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in policy
    assert "unsafe" not in policy
    own_script = (
        r'<script nonce="[\w-]+" src="/static/(?:ui/(?:ui|passkeys)|password-strength)\.js[^"]*" defer></script>'
    )
    assert not re.search(r"<script|<style|\son\w+=|\sstyle=", re.sub(own_script, "", page.text))
    assert not re.findall(r"""(?:href|src|action)=["']?(?:\w+:|//)""", page.text)


def test_H06_cookies_are_out_of_reach_of_scripts_and_other_sites(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)

    form = browser.get("/login/")
    response = browser.sign_in(user.email)

    found = [*form.headers.getlist("Set-Cookie"), *response.headers.getlist("Set-Cookie")]
    for cookie in found:
        name = cookie.partition("=")[0]
        assert "SameSite=Lax" in cookie or "Max-Age=0" in cookie, cookie
        assert "Domain" not in cookie
        assert len(cookie) < 4096
        assert ("HttpOnly" in cookie) is not name.startswith("csrf"), cookie
        assert "Path=/" in cookie


def test_H06_H07_under_https_cookies_and_connections_are_bound_to_it(make_app: Callable[..., Flask]) -> None:
    app = make_app(SITE_URL="https://accounts.example.com")
    client = app.test_client()
    https = {"base_url": "https://accounts.example.com", "headers": BROWSER_HEADERS}
    wanted = {"email": "secure@example.com", "password": PASSWORD, "profile": None}
    client.post("/userapi/users/", json={**wanted, "profile": profile()}, **https)

    form = client.get("/login/", **https)
    sent = {"email": wanted["email"], "password": PASSWORD, "csrf_token": hidden_value(form)}
    response = client.post("/login/", data=sent, **https)

    assert response.status_code == 303
    assert client.get("/account/", **https).status_code == 200
    assert form.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    cookies = [*form.headers.getlist("Set-Cookie"), *response.headers.getlist("Set-Cookie")]
    assert len(cookies) >= 4
    for cookie in cookies:
        assert "Secure" in cookie, cookie
        assert cookie.startswith(("__Host-", "csrf_")), cookie


def profile() -> dict[str, str]:
    return {"title": "Ms", "dob": "1990-12-10", "address": "x", "country": "x", "city": "x", "zip": "x"}


def test_H09_a_cookie_works_for_the_api_only_with_a_csrf_token(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    token = hidden_value(browser.get("/logout/"))
    change = {"first_name": "Robin"}

    without = browser.client.patch("/userapi/auth/user/", json=change)
    wrong = browser.client.patch("/userapi/auth/user/", json=change, headers={"X-CSRF-TOKEN": "0" * 32})
    plain = browser.client.patch(
        "/userapi/auth/user/",
        data='{"first_name": "Robin"}',
        headers={"X-CSRF-TOKEN": token},
        content_type="text/plain",
    )
    with_it = browser.client.patch("/userapi/auth/user/", json=change, headers={"X-CSRF-TOKEN": token})

    assert (without.status_code, without.get_json()["code"]) == (403, "csrf_failed")
    assert (wrong.status_code, wrong.get_json()["code"]) == (403, "csrf_failed")
    assert plain.status_code == 415
    assert (with_it.status_code, with_it.get_json()["first_name"]) == (200, "Robin")


@pytest.mark.parametrize("path", ["/nothing/", "/static/nothing.css", "/reset/", "/account/nothing/"])
def test_H16_a_browser_gets_a_page_for_an_unknown_path(app: Flask, path: str) -> None:
    page = FormBrowser(app).get(path)
    data = app.test_client().get(path)

    assert page.status_code == data.status_code == 404
    assert "<h1>Not found</h1>" in page.text
    assert data.mimetype == "application/problem+json"
    assert data.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/userapi/nothing/", "/api-token-auth/x/"])
def test_H16_an_error_of_the_api_is_data_for_programs_and_a_page_for_a_browser(app: Flask, path: str) -> None:
    page = FormBrowser(app).get(path)
    data = app.test_client().get(path)

    assert page.status_code == data.status_code == 404
    assert page.mimetype == "text/html"
    assert data.mimetype == "application/problem+json"
    assert data.get_json()["code"] == "not_found"


def test_H16_a_forged_form_and_a_wrong_method_are_explained_on_pages(app: Flask) -> None:
    browser = FormBrowser(app)

    stale = browser.post("/verify-email/made-up/", {})
    shown_again = browser.post("/login/", {"email": "ada@example.com"})
    method = browser.client.put("/login/", headers=BROWSER_HEADERS)

    assert stale.status_code == shown_again.status_code == 403
    assert "Check what you typed and submit it again." in shown_again.text
    assert input_value(shown_again, "email") == "ada@example.com"
    assert "Go back, reload the page and submit the form again." in stale.text.replace("\n", " ")
    assert method.status_code == 405
    assert "<h1>Method not allowed</h1>" in method.text


def test_H16_O05_an_unexpected_error_is_a_page_without_details(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = FormBrowser(app)
    assert browser.get("/").status_code == 200
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail(**_arguments: object) -> str:
        raise RuntimeError("the secret inside")

    monkeypatch.setitem(app.view_functions, "pages.show_front", fail)
    monkeypatch.setattr(fail, "open_to_visitors", True, raising=False)
    page = browser.get("/")

    assert page.status_code == 500
    assert page.mimetype == "text/html"
    assert "secret inside" not in page.text
    assert page.headers["X-Request-ID"] in page.text


def test_static_files_are_cached_when_their_URL_names_their_version(app: Flask) -> None:
    browser = FormBrowser(app)
    found = re.findall(r'href="(/static/[^"]+)"', browser.get("/").text)

    assert len(found) == 4
    for path in found:
        versioned, plain = browser.get(path), browser.get(path.partition("?")[0])
        assert versioned.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert plain.headers["Cache-Control"] == "public, max-age=3600"
        for response in (versioned, plain):
            assert response.status_code == 200
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "Set-Cookie" not in response.headers
            response.close()


def test_H03_the_host_of_a_request_is_in_no_page_and_no_redirect(app: Flask) -> None:
    client = app.test_client()

    for path in ("/", "/login/", "/account/"):
        response = client.get(
            path, headers={**BROWSER_HEADERS, "X-Forwarded-Host": "evil.example"}, base_url="http://evil.example"
        )
        assert "evil.example" not in response.text
        assert "evil.example" not in response.headers.get("Location", "")


def test_every_link_on_the_front_page_leads_somewhere(app: Flask) -> None:
    browser = FormBrowser(app)

    links = set(re.findall(r'<a [^>]*href="(/[^"]*)"', browser.get("/").text))

    assert links == {"/", "/login/", "/register/", "/docs/"}
    for link in links:
        response = browser.get(link)
        assert response.status_code == 200, link
        response.close()


def test_the_front_page_leads_signed_in_users_to_their_account(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    response = browser.get("/")

    assert (response.status_code, response.headers["Location"]) == (303, "/account/")
    assert "no-store" in response.headers["Cache-Control"]
