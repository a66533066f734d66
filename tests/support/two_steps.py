"""Sign-ins in two steps."""

from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.second_factors import App, set_up_app

LOGIN = "/userapi/auth/login/"
SECOND_STEP = "/userapi/auth/login/second-step/"


@dataclass
class Owner:
    """An account whose second step is on.

    Attributes:
        phone: its authenticator app.
        recovery_codes: all unused.
    """

    app: Flask
    id: int
    email: str
    phone: App
    recovery_codes: list[str]

    @property
    def credentials(self) -> dict[str, str]:
        return {"email": self.email, "password": PASSWORD}

    def first_step(self, client: FlaskClient | None = None, path: str = LOGIN, **more: Any) -> TestResponse:
        """Send email and password."""
        return (client or self.app.test_client()).post(path, json={**self.credentials, **more})

    def mfa_token(self) -> str:
        """The token of a new sign-in that waits for its second step."""
        response = self.first_step()
        assert response.get_json()["code"] == "second_step_needed", response.text
        return str(response.get_json()["mfa_token"])

    def second_step(self, mfa_token: str, code: str, client: FlaskClient | None = None, **more: Any) -> TestResponse:
        """Send a code for a sign-in that waits."""
        client = client or self.app.test_client()
        return client.post(SECOND_STEP, json={"mfa_token": mfa_token, "code": code, **more})

    def sign_in(self, code: str | None = None) -> dict[str, Any]:
        """Sign in with both steps; the tokens."""
        response = self.second_step(self.mfa_token(), code or self.phone.code())
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.get_json()
        return tokens


def make_owner(app: Flask, **overrides: Any) -> Owner:
    """Create an account and set up its authenticator app."""
    email = str(new_user()["email"])
    user_id = make_user(app, email=email, **overrides)
    phone, codes = set_up_app(app, user_id)
    return Owner(app, user_id, email, phone, codes)
