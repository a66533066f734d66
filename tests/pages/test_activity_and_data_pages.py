"""The pages that show the activity of your own account and download its data."""

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.proofs import prove_and_continue
from userapi.audit.activity import TEXTS
from userapi.core import clock


def signed_in(app: Flask, user: ApiUser) -> FormBrowser:
    browser = FormBrowser(app)
    assert browser.sign_in(user.email).status_code == 303
    return browser


def entries(page: str) -> list[str]:
    """The texts of the activities on a page."""
    return re.findall(r"<strong>([^<]+)</strong>\s", page.partition('class="rows"')[2])


@pytest.fixture
def make_sign_in_old(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes 20 minutes pass."""

    def make() -> None:
        later = clock.now() + timedelta(minutes=20)
        monkeypatch.setattr("userapi.core.clock.now", lambda: later)

    return make


def test_the_page_says_what_happened_in_words_with_device_and_ip_address(app: Flask, user: ApiUser) -> None:
    browser = signed_in(app, user)
    FormBrowser(app).sign_in(user.email, "wrong password 7")
    browser.send("/account/", {"first_name": "Robin", "last_name": "Okafor", "username": ""})

    page = browser.get("/account/activity/").text

    assert entries(page)[:3] == ["Account details changed", "Sign-in failed", "Signed in"]
    assert "<small>First name</small>" in page
    assert '<bdi>Firefox</bdi> · <bdi>IP address <bdi dir="ltr">127.0.0.1</bdi></bdi> · ' in page


def test_the_page_names_no_staff(app: Flask, user: ApiUser, superuser: ApiUser) -> None:
    superuser.patch(user.url, json={"first_name": "Robin"})

    page = signed_in(app, user).get("/account/activity/").text

    assert "By staff" in page
    assert superuser.email not in page


def test_older_activity_is_on_the_next_page(app: Flask, user: ApiUser) -> None:
    browser = signed_in(app, user)
    for number in range(30):
        user.patch("/userapi/auth/user/", json={"first_name": f"Robin {number}"})

    first = browser.get("/account/activity/").text
    (older,) = re.findall(r'rel="next" href="\?([^"]+)"', first)
    second = browser.get(f"/account/activity/?{older}").text

    assert len(entries(first)) == 25
    assert "Signed in" in entries(second)
    assert 'rel="next"' not in second
    assert 'href="/account/activity/">' in second.partition('class="pager"')[2]


@pytest.mark.parametrize("cursor", ["x", "e30", "é", "WyItaWQiLCJuZXh0IixudWxsLCJ4Il0"])
def test_an_invalid_cursor_shows_the_newest_activity_and_says_so(app: Flask, user: ApiUser, cursor: str) -> None:
    browser = signed_in(app, user)

    page = browser.get(f"/account/activity/?cursor={cursor}")

    assert page.status_code == 400
    assert "This link to older activity is not valid. Here is your newest activity." in page.text
    assert "errors" not in page.text
    assert "Signed in" in entries(page.text)
    assert 'class="pager"' not in page.text


def test_every_activity_has_a_text_in_the_language_of_the_page(app: Flask) -> None:
    with app.test_request_context("/"):
        assert all(str(text) for text in TEXTS.values())


def test_the_data_are_downloaded_as_a_file_right_after_the_sign_in(app: Flask, user: ApiUser) -> None:
    browser = signed_in(app, user)

    response = browser.send("/account/data/")

    assert re.fullmatch(
        r'attachment; filename="account-data-\d{4}-\d\d-\d\d\.json"', response.headers["Content-Disposition"]
    )
    assert json.loads(response.data)["user"]["email"] == user.email
    assert entries(browser.get("/account/activity/").text)[0] == "Account data downloaded"


def test_the_data_require_a_recent_proof(app: Flask, user: ApiUser, make_sign_in_old: Callable[[], None]) -> None:
    browser = signed_in(app, user)
    make_sign_in_old()

    question = browser.send("/account/data/")
    response = prove_and_continue(browser.client, question)

    assert json.loads(response.data)["user"]["email"] == user.email
    assert entries(browser.get("/account/activity/").text)[:2] == ["Account data downloaded", "Identity confirmed"]


def test_the_download_form_survives_an_ended_session(app: Flask, user: ApiUser) -> None:
    browser = signed_in(app, user)
    page = browser.get("/account/data/")
    user.delete("/userapi/auth/sessions/")

    response = browser.post(
        "/account/data/", {"csrf_token": hidden_value(page), "form_id": hidden_value(page, "form_id")}
    )

    assert response.headers["Location"] == "/login/?next=/account/data/"


@pytest.mark.parametrize("path", ["/account/security/", "/account/devices/", "/account/activity/", "/account/data/"])
def test_the_pages_of_the_account_require_a_sign_in(app: Flask, path: str) -> None:
    assert FormBrowser(app).get(path).headers["Location"] == f"/login/?next={path}"
