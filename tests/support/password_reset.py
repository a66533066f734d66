"""Password resets over the API: requesting the email, and using its link."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.email_inbox import emails_to

NEW_PASSWORD = "brittle harbour lantern 42"
OTHER_PASSWORD = "quiet orchard gravel 19"
REQUEST_PATH = "/userapi/auth/password/reset/"
CONFIRM_PATH = "/userapi/auth/password/reset/confirm/"

ResetLink = dict[str, str]


def request_reset(client: FlaskClient, email: Any) -> TestResponse:
    return client.post(REQUEST_PATH, json={"email": email})


def reset_link(app: Flask, email: str) -> ResetLink:
    """Request a reset email. Returns both parts of its link."""
    assert request_reset(app.test_client(), email).status_code == 200
    newest = emails_to(app, email, "reset_password")[-1]
    return {"uid": newest.uid, "token": newest.token}


def confirm_reset(client: FlaskClient, link: ResetLink, password: str = NEW_PASSWORD, **fields: Any) -> TestResponse:
    return client.post(CONFIRM_PATH, json={**link, "new_password1": password, "new_password2": password, **fields})
