"""Clients, users and tokens of the service that this one replaces."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import PASSWORD
from tests.support.import_files import DJANGO_HASH, import_command

#: As Django generates it.
SECRET = "django-insecure-3k#v8w!q0z^x&5t@1m9p$y7(r2b4n6c)h=e+j_u*f%d-s1a6o8i0l2"

OBTAIN, REFRESH, VERIFY = "/api-token-auth/", "/api-token-refresh/", "/api-token-verify/"
LOGIN, LOGOUT, ME = "/userapi/auth/login/", "/userapi/auth/logout/", "/userapi/auth/user/"
CHANGE, USERS = "/userapi/auth/password/change/", "/userapi/users/"

NEW_PASSWORD = "copper kettle upstairs 4"


@dataclass
class OldUser:
    """A user of the replaced service."""

    id: int
    email: str
    password: str = PASSWORD

    def token(self, *, key: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
        """A token as that service issued it a minute ago; a claim that is None is left out."""
        now = int(time.time())
        usual = {
            "user_id": self.id,
            "username": self.email,
            "email": self.email,
            "exp": now + 3600,
            "orig_iat": now - 60,
        }
        kept = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(kept, key, algorithm)


def import_user(app: Flask, folder: Path, user_id: int = 7, **fields: Any) -> OldUser:
    """Import a user from a dump of the replaced service."""
    email = fields.get("email", f"user{user_id}@example.com")
    usual = {
        "password": DJANGO_HASH,
        "last_login": None,
        "is_superuser": False,
        "username": None,
        "first_name": "Wren",
        "last_name": "Okafor",
        "email": email,
        "is_staff": False,
        "is_active": True,
        "date_joined": "2026-01-31T12:00:00.500Z",
        "groups": [],
        "user_permissions": [],
    }
    dump = [{"model": "api.user", "pk": user_id, "fields": {**usual, **fields}}]
    result = import_command(app, folder)(json.dumps(dump), "--confirmed", name="dump.json")
    assert result.exit_code == 0, result.output
    return OldUser(user_id, email)


def sign_in_as_before(client: FlaskClient, email: str, password: str = PASSWORD) -> str:
    """The token of a new session."""
    response = client.post(OBTAIN, json={"email": email, "password": password})
    assert response.status_code == 200, response.text
    return str(response.get_json()["token"])


def with_token(token: str) -> dict[str, str]:
    """The header that clients of the replaced service send."""
    return {"Authorization": f"JWT {token}"}


def refresh(client: FlaskClient, token: str) -> TestResponse:
    return client.post(REFRESH, json={"token": token})


def verify(client: FlaskClient, token: str) -> TestResponse:
    return client.post(VERIFY, json={"token": token})
