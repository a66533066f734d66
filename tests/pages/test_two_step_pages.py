"""The pages that set up two-step sign-in, show recovery codes and forget devices."""

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.factories import make_account
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.second_factors import App, verify_email
from tests.support.sql import execute_sql, fetch_number
from tests.support.staff_imports import move_clock
from userapi.core import clock
from userapi.core.db import db
from userapi.mfa import remembered_devices

SECURITY, NEW_APP, CONFIRM = "/account/security/", "/account/security/app/", "/account/security/app/confirm/"
CODES = "/account/security/recovery-codes/"


@pytest.fixture
def browser(app: Flask) -> FormBrowser:
    """The browser of a signed-in user with a confirmed email address."""
    email = make_account(app)
    verify_email(app, fetch_number(app, "SELECT max(id) FROM users"))
    browser = FormBrowser(app)
    assert browser.sign_in(email).status_code == 303
    return browser


def add_app(browser: FormBrowser, name: str = "Phone") -> tuple[App, TestResponse]:
    """Add an app; the app, and the page that shows it."""
    page = browser.send(NEW_APP, {"name": name})
    assert page.status_code == 200
    found = re.search(r'<code class="secret-key"[^>]*>([A-Z2-7 ]+)</code>', page.text)
    assert found is not None
    return App(id=None, secret=found[1].replace(" ", "")), page  # type: ignore[arg-type]


def form_of(page: TestResponse, code: str) -> dict[str, str]:
    """The form that confirms an app, filled in."""
    hidden = {name: hidden_value(page, name) for name in ("csrf_token", "form_id", "set_up")}
    return {**hidden, "code": code}


def shown_codes(page: TestResponse) -> list[str]:
    return re.findall(r"<li><code>([0-9a-z-]{19})</code>", page.text)


def set_up(browser: FormBrowser) -> tuple[App, list[str]]:
    """Set up an app; the app, and the recovery codes that are shown."""
    app, page = add_app(browser)
    done = browser.post(CONFIRM, form_of(page, app.code()))
    return app, shown_codes(browser.follow(done))


def test_an_app_is_set_up_without_scripts(browser: FormBrowser) -> None:
    app, page = add_app(browser, "My <phone>")
    assert '<svg viewBox="0 0' in page.text
    assert f"secret={app.secret}" in unescape(page.text)
    assert "style=" not in page.text.partition("<main")[2]

    done = browser.post(CONFIRM, form_of(page, app.code()))

    codes = browser.follow(done)
    assert done.headers["Location"].endswith(CODES)
    assert len(set(shown_codes(codes))) == 10
    security = browser.get(SECURITY).text
    assert "My &lt;phone&gt;" in security
    assert "You have 10 recovery codes left" in security


def test_a_wrong_code_shows_the_same_app_again(browser: FormBrowser) -> None:
    app, page = add_app(browser)

    again = browser.post(CONFIRM, form_of(page, app.wrong_code()))

    assert again.status_code == 400
    assert "This code is not valid." in again.text
    assert f"secret={app.secret}" in unescape(again.text)
    assert browser.post(CONFIRM, form_of(again, app.code())).status_code == 303


def test_a_second_click_on_confirm_shows_the_same_codes(browser: FormBrowser) -> None:
    app, page = add_app(browser)
    form = form_of(page, app.code())

    first = shown_codes(browser.follow(browser.post(CONFIRM, form)))
    second = shown_codes(browser.follow(browser.post(CONFIRM, form)))

    assert len(first) == 10
    assert second == first


def test_S34_old_cookies_gain_nothing_from_the_form_of_the_first_app_after_ten_seconds(
    app: Flask, browser: FormBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, page = add_app(browser)
    form = form_of(page, phone.code())
    copy = FormBrowser(app)
    for name in ("access_token", "csrf_token"):
        copy.client.set_cookie(name, browser.cookie(name).value)
    assert browser.post(CONFIRM, form).status_code == 303
    move_clock(monkeypatch, timedelta(seconds=11))

    again = copy.post(CONFIRM, form)

    assert (again.status_code, again.headers.getlist("Set-Cookie")) == (404, []), again.text
    assert "/prove/" in copy.get(NEW_APP).headers["Location"]
    assert browser.get(NEW_APP).status_code == 200


def test_recovery_codes_are_downloaded_and_gone_when_they_are_kept(browser: FormBrowser) -> None:
    _app, codes = set_up(browser)

    download = browser.get(f"{CODES}download/")
    assert download.headers["Content-Disposition"] == 'attachment; filename="recovery-codes.txt"'
    assert all(code in download.text for code in codes)
    shown = browser.get(CODES)
    assert shown_codes(shown) == codes
    assert "instead of your app or passkey" in shown.text

    kept = browser.send(f"{CODES}kept/", form_on=CODES)

    assert "Keep your recovery codes in a safe place." in browser.follow(kept).text
    assert browser.get(CODES).headers["Location"].endswith(SECURITY)
    assert browser.get(f"{CODES}download/").headers["Location"].endswith(SECURITY)


def test_S20_another_user_of_the_browser_does_not_see_the_codes(app: Flask, browser: FormBrowser) -> None:
    _app, codes = set_up(browser)
    other = make_account(app)
    browser.client.delete_cookie("access_token")
    assert browser.sign_in(other).status_code == 303

    page = browser.get(CODES)

    assert page.status_code == 303
    assert not any(code in page.text for code in codes)


def test_S25_the_set_up_page_needs_a_recent_proof(browser: FormBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.now() + timedelta(seconds=901)
    monkeypatch.setattr(clock, "now", lambda: later)

    assert browser.get(NEW_APP).headers["Location"].startswith("/prove/")


def test_S27_the_form_of_an_app_is_useless_in_another_session(app: Flask, browser: FormBrowser) -> None:
    added, page = add_app(browser)
    with app.app_context():
        email = browser.get(SECURITY).text
    other = FormBrowser(app)
    found = re.search(r"<small>(person\d+@example\.com)</small>", email)
    assert found is not None
    assert other.sign_in(found[1]).status_code == 303
    form = form_of(page, added.code()) | {"csrf_token": hidden_value(other.get(SECURITY))}

    assert other.post(CONFIRM, form).status_code == 404
    assert browser.post(CONFIRM, form_of(page, added.code())).status_code == 303


def test_S28_a_user_with_an_unconfirmed_email_has_to_confirm_it_first(app: Flask, browser: FormBrowser) -> None:
    assert NEW_APP in browser.get(SECURITY).text
    execute_sql(app, "UPDATE users SET email_verified_at = NULL")

    page = browser.get(SECURITY).text

    assert NEW_APP not in page
    assert "Confirm your email address before you set up two-step sign-in." in page
    assert browser.send(NEW_APP, {"name": ""}).status_code == 409


@pytest.mark.parametrize(
    ("left", "words"), [(3, "You have 3 recovery codes left. Create new ones"), (0, "locks you out")]
)
def test_the_security_page_warns_when_few_codes_are_left(
    app: Flask, browser: FormBrowser, left: int, words: str
) -> None:
    set_up(browser)
    execute_sql(
        app,
        "UPDATE recovery_codes SET used_at = CURRENT_TIMESTAMP"
        " WHERE digest NOT IN (SELECT digest FROM recovery_codes LIMIT :left)",
        left=left,
    )

    assert words in browser.get(SECURITY).text


def test_an_app_is_renamed(app: Flask, browser: FormBrowser) -> None:
    set_up(browser)
    path = re.search(r'action="(/account/security/app/[0-9a-f-]{36}/rename/)"', browser.get(SECURITY).text)
    assert path is not None

    done = browser.send(path[1], {"name": "Old phone"}, form_on=SECURITY)

    assert "Old phone" in browser.follow(done).text


def test_S69_remembered_devices_are_shown_and_forgotten(app: Flask, browser: FormBrowser) -> None:
    set_up(browser)
    user_id = fetch_number(app, "SELECT max(id) FROM users")
    version = fetch_number(app, f"SELECT session_version FROM users WHERE id = {user_id}")
    with app.app_context():
        for number in range(3):
            remembered_devices.remember(user_id, version, f"203.0.113.{number}", "Firefox/140.0")
        db.session.commit()
    page = browser.get("/account/devices/").text
    assert "203.0.113.2" in page
    path = re.search(r'action="(/account/devices/remembered/[0-9a-f-]{36}/forget/)"', page)
    assert path is not None

    browser.send(path[1], form_on="/account/devices/")
    assert fetch_number(app, "SELECT count(*) FROM remembered_devices") == 2
    browser.send("/account/devices/remembered/forget-all/", form_on="/account/devices/")

    assert "Remembered devices" not in browser.get("/account/devices/").text


def test_the_browser_that_sets_the_first_app_up_needs_no_other_proof(browser: FormBrowser) -> None:
    set_up(browser)

    done = browser.send("/account/security/recovery-codes/", form_on=SECURITY)

    assert len(shown_codes(browser.follow(done))) == 10


def test_an_account_that_needs_two_step_sign_in_is_led_to_it(app: Flask) -> None:
    app.config["SECOND_STEP_REQUIRED_FOR"] = "everyone"
    email = make_account(app)
    verify_email(app, fetch_number(app, "SELECT max(id) FROM users"))
    browser = FormBrowser(app)
    browser.sign_in(email)
    assert browser.get("/account/devices/").status_code == 303
    notice, link = browser.get(SECURITY).text.split('id="email-heading"')[0], 'href="/account/security/app/"'
    assert "Your account requires two-step sign-in. Set it up to continue." in notice
    assert link in notice

    set_up(browser)

    assert browser.get("/account/devices/").status_code == 200
    assert "Turn two-step sign-in off" not in browser.get(SECURITY).text
