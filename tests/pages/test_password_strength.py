"""The strength of a password, shown while it is typed."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD
from tests.support.form_browser import FormBrowser, hidden_value


def rate(app: Flask, password: str, email: str = "") -> TestResponse:
    browser = FormBrowser(app)
    token = hidden_value(browser.get("/register/"))
    fields = {"csrf_token": token, "password": password, "email": email}
    return browser.client.post("/password-strength/", data=fields, headers={"Accept": "application/json"})


@pytest.mark.parametrize(
    ("password", "score", "text"),
    [
        ("1234", 0, "Shorter than minimum length 8. Contains only digits."),
        ("password1", 0, "One of the most common passwords."),
        (PASSWORD, 4, "Strong password"),
    ],
)
def test_a_password_is_rated_with_the_rules_of_the_form(app: Flask, password: str, score: int, text: str) -> None:
    rated = rate(app, password).get_json()

    assert rated["score"] == score
    assert rated["text"].startswith(text)


def test_a_password_like_the_email_is_rated_as_weak(app: Flask) -> None:
    rated = rate(app, "wren.okafor 2026", "wren.okafor@example.com").get_json()

    assert rated["score"] <= 1
    assert "Too similar to your email or name." in rated["text"]


def test_only_pages_of_this_site_can_rate_passwords(app: Flask) -> None:
    assert FormBrowser(app).post("/password-strength/", {"password": PASSWORD}).status_code == 403


def test_ratings_are_throttled(make_app: Callable[..., Flask]) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_PASSWORD_STRENGTH="2 per hour")

    responses = [rate(app, PASSWORD) for _number in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[2].get_json()["detail"] == (
        "The strength cannot be shown right now. The password is checked when you submit the form."
    )
    assert int(responses[2].headers["Retry-After"]) > 0


def test_the_meter_is_hidden_without_scripts(app: Flask) -> None:
    page = FormBrowser(app).get("/register/").text

    assert 'data-rates="password"' in page
    assert 'hidden>\n  <div class="meter">' in page


def test_a_signed_in_user_gets_a_rating_while_changing_the_password(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    (token,) = re.findall(r'data-token="([^"]+)"', browser.get("/password_change/").text)

    rated = browser.post("/password-strength/", {"csrf_token": token, "password": PASSWORD})

    assert rated.get_json() == {"score": 4, "text": "Strong password"}
