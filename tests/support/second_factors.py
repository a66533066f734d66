"""Accounts with second factors, made by the rules that the routes call, or over the API."""

import uuid
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.sql import execute_sql
from userapi.core import clock
from userapi.core.db import db
from userapi.mfa import apps, totp
from userapi.users import queries as user_queries


@dataclass
class App:
    """An authenticator app.

    Attributes:
        id: as in URLs.
        secret: base32.
    """

    id: uuid.UUID
    secret: str

    def code(self, steps: int = 0) -> str:
        """The code that it shows now, or some 30-second steps later."""
        return totp.compute_code(self.secret, int(clock.now().timestamp()) // 30 + steps)

    def wrong_code(self) -> str:
        """A code that it does not show within five minutes."""
        shown = {self.code(steps) for steps in range(-10, 11)}
        return next(code for number in range(100) if (code := f"{number:06}") not in shown)


def verify_email(app: Flask, user_id: int) -> None:
    """Confirm the email address of an account."""
    execute_sql(app, "UPDATE users SET email_verified_at = date_joined WHERE id = :id", id=user_id)


def set_up_app(app: Flask, user_id: int, name: str = "Phone") -> tuple[App, list[str]]:
    """Set up an authenticator app for an account; the app, and its recovery codes if it is the first one.

    Its codes are unused, also that which has confirmed it.
    """
    verify_email(app, user_id)
    session_id = uuid.uuid4()
    with app.app_context():
        user = user_queries.lock_user(user_id)
        assert user is not None
        added = apps.add_app(user, name, session_id)
        made = App(added.id, added.secret)
        confirmed = apps.confirm_app(user, added.id, session_id, made.code())
        db.session.commit()
    forget_used_steps(app)
    return made, confirmed.recovery_codes or []


FACTORS = "/userapi/auth/factors/"


def add_app(user: ApiUser, name: str = "Phone") -> App:
    """Add an authenticator app over the API; it is not confirmed yet."""
    response = user.post(f"{FACTORS}totp/", json={"name": name})
    assert response.status_code == 201, response.text
    added = response.get_json()
    return App(uuid.UUID(added["id"]), added["secret"])


def confirm_app(user: ApiUser, app: App, code: str | None = None) -> TestResponse:
    """Confirm an authenticator app over the API, by default with the code that it shows."""
    return user.post(f"{FACTORS}totp/{app.id}/confirm/", json={"code": code or app.code()})


def prove(user: ApiUser, code: str) -> None:
    """Prove the identity of a signed-in user by a code; the user continues with the new tokens."""
    response = user.post("/userapi/auth/prove/", json={"code": code})
    assert response.status_code == 200, response.text
    user.tokens = {**user.tokens, **response.get_json()}


def overview(user: ApiUser) -> dict[str, Any]:
    """What a user sees of the own second factors."""
    response = user.get(FACTORS)
    assert response.status_code == 200
    found: dict[str, Any] = response.get_json()
    return found


def code_of(response: TestResponse) -> tuple[int, str]:
    """The status and the code of an error."""
    return response.status_code, response.get_json()["code"]


def forget_used_steps(app: Flask) -> None:
    """Let codes be used again, so that a test need not wait for the next one."""
    execute_sql(app, "UPDATE totp_devices SET last_step = -1")
