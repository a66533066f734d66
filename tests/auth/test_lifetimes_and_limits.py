"""Lifetimes and limits come from the settings, and every text that names one reads it from there."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.password_reset import confirm_reset, reset_link
from userapi.core import clock


@pytest.mark.parametrize(
    ("seconds", "text"), [("1800", "in 30 minutes"), ("5400", "in 90 minutes"), ("7200", "in 2 hours")]
)
def test_the_page_says_how_long_a_reset_link_works(make_app: Callable[..., Flask], seconds: str, text: str) -> None:
    page = make_app(PASSWORD_RESET_LIFETIME=seconds).test_client().get("/password_reset/done/")

    assert f"The link expires {text} and works once." in page.text


def test_the_page_says_how_long_a_confirmation_link_works(make_app: Callable[..., Flask]) -> None:
    page = make_app(EMAIL_CONFIRMATION_LIFETIME="172800").test_client().get("/verify-email/sent/")

    assert "The link expires in 2 days and works once." in page.text


@pytest.mark.parametrize(("minutes", "status"), [(29, 200), (31, 400)])
def test_a_reset_link_works_as_long_as_the_setting_says(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, minutes: int, status: int
) -> None:
    app = make_app(PASSWORD_RESET_LIFETIME="1800")
    make_user(app, email="wren@example.com")
    link = reset_link(app, "wren@example.com")

    later = clock.now() + timedelta(minutes=minutes)
    monkeypatch.setattr("userapi.core.clock.now", lambda: later)

    assert confirm_reset(app.test_client(), link).status_code == status


@pytest.mark.parametrize("name", ["RATELIMIT_SIGN_IN_IP", "RATELIMIT_SIGN_IN_ADDRESS"])
def test_the_throttle_of_an_ip_address_has_two_names(make_app: Callable[..., Flask], name: str) -> None:
    client = make_app(RATELIMIT_ENABLED="true", **{name: "1 per hour"}).test_client()

    statuses = [
        client.post("/userapi/auth/login/", json={"email": f"{user}@example.com", "password": "wrong"}).status_code
        for user in ("ada", "grace")
    ]

    assert statuses == [401, 429]
