"""Invitations that staff send, and what the recipients do with them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.email_inbox import Email, emails_to
from tests.support.factories import PASSWORD

GUEST = "guest@example.com"
GUEST_ACCOUNTS = "SELECT count(*) FROM users WHERE email_key = 'guest@example.com'"
INVITATIONS = "/userapi/invitations/"
ACCEPT = "/userapi/auth/invitations/accept/"
OWN = "/userapi/auth/invitations/"


@dataclass
class Guest:
    """Someone who was invited."""

    app: Flask
    email: str = GUEST

    @property
    def emails(self) -> list[Email]:
        return emails_to(self.app, self.email)

    @property
    def token(self) -> str:
        """The token in the newest invitation."""
        return emails_to(self.app, self.email, "invitation")[-1].token

    def accept(self, token: str | None = None, **more: Any) -> TestResponse:
        body = {"token": self.token if token is None else token, "password": PASSWORD, **more}
        return self.app.test_client().post(ACCEPT, json=body)


@pytest.fixture
def guest(app: Flask) -> Guest:
    return Guest(app)


@pytest.fixture
def inviter(make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """A user who is not staff and whose email address is confirmed."""
    return make_api_user(email_verified=True)


Invite = Callable[..., dict[str, Any]]


@pytest.fixture
def invite(superuser: ApiUser) -> Invite:
    """Invite someone as a superuser; the invitation."""

    def send(email: str = GUEST, **more: Any) -> dict[str, Any]:
        response = superuser.post(INVITATIONS, json={"email": email, **more})
        assert response.status_code == 201, response.text
        document: dict[str, Any] = response.get_json()
        return document

    return send
