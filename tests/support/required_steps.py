"""Requiring a second step, and sessions with and without one."""

from datetime import timedelta
from typing import Any

from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.passkeys import add_passkey, sign_in_by_passkey
from tests.support.second_factors import verify_email
from userapi.core import clock

#: The page that sets up a second step.
SECURITY = "/account/security/"


def require_from(app: Flask, who: str, days: int = 0) -> None:
    """Require a second step of a role, as after a restart with other settings; `days` is when that begins."""
    app.config["SECOND_STEP_REQUIRED_FOR"] = who
    app.config["SECOND_STEP_REQUIRED_FROM"] = clock.today() + timedelta(days=days)


def requires_second_step(response: Any) -> bool:
    """Whether a request was rejected because a second step is required."""
    problem = response.get_json()
    if response.status_code != 403 or problem["code"] != "second_step_required":
        return False
    assert problem["setup_url"] == f"http://accounts.example.com{SECURITY}"
    return True


def signed_in_again(app: Flask, user: ApiUser) -> ApiUser:
    """The same user in another session, which began with a password."""
    return ApiUser(app.test_client(), user.id, user.email, user.password, sign_in(app, user.email, user.password))


def signed_in_by_passkey(app: Flask, user: ApiUser) -> ApiUser:
    """The same user in another session, which began with a passkey."""
    verify_email(app, user.id)
    signed_in = sign_in_by_passkey(app, add_passkey(app, user.id))
    assert signed_in.status_code == 200, signed_in.text
    return ApiUser(app.test_client(), user.id, user.email, user.password, signed_in.get_json())


def refresh(user: ApiUser) -> None:
    """Exchange the refresh token of a session."""
    sent = {"refresh_token": user.tokens["refresh_token"]}
    user.tokens = user.client.post("/api-token-refresh/", json=sent).get_json()
