"""Accounts with passkeys, and sign-ins with them."""

import uuid
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.authenticator import Authenticator
from userapi.core.db import db
from userapi.mfa import passkeys
from userapi.users.models import User

#: Where the site of tests is.
ORIGIN = "http://accounts.example.com"

OPTIONS, LOGIN = "/userapi/auth/login/passkey/options/", "/userapi/auth/login/passkey/"


def add_passkey(app: Flask, user_id: int, origin: str = ORIGIN, **changes: Any) -> Authenticator:
    """Add a passkey to an account; `changes` are those of `Authenticator.create`. Returns the authenticator."""
    authenticator, session_id = Authenticator(origin), uuid.uuid4()
    with app.app_context():
        user = db.session.get_one(User, user_id)
        options = passkeys.request_options(user, session_id)
        passkeys.add(user, session_id, authenticator.create(options, **changes), "Laptop")
        db.session.commit()
    return authenticator


def request_sign_in(app: Flask) -> dict[str, Any]:
    """Options for a sign-in by passkey."""
    response = app.test_client().post(OPTIONS, json={})
    assert response.status_code == 200, response.text
    options: dict[str, Any] = response.get_json()["publicKey"]
    return options


def send_credential(app: Flask, credential: Any, **body: Any) -> TestResponse:
    """Send a credential as a sign-in."""
    return app.test_client().post(LOGIN, json={"credential": credential, **body})


def sign_in_by_passkey(app: Flask, authenticator: Authenticator, **changes: Any) -> TestResponse:
    """Sign in by passkey; `changes` are those of `Authenticator.get`."""
    return send_credential(app, authenticator.get(request_sign_in(app), **changes))


def is_rejected(response: TestResponse) -> bool:
    """Whether a request was rejected with the one error for passkeys."""
    assert response.status_code == 401, response.text
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    return bool(response.get_json()["code"] == "invalid_passkey")
