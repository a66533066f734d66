"""API keys of users, and requests that are made with one."""

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser

KEYS = "/userapi/auth/keys/"


@dataclass
class KeyHolder:
    """A program with an API key: `holder.get("/userapi/users/")`."""

    client: FlaskClient
    id: str
    key: str

    def open(self, path: str, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return self.client.open(path, headers=headers, **options)

    def get(self, path: str = "/userapi/auth/user/", **options: Any) -> TestResponse:
        return self.open(path, method="GET", **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="PATCH", **options)

    @property
    def code(self) -> str | None:
        """The code of the error that reading the owner's account gets; None if it gets none."""
        response = self.get()
        return None if response.status_code == 200 else response.get_json()["code"]


def create_key(owner: ApiUser, *scopes: str, **options: Any) -> KeyHolder:
    """A new key of a user, with the scope `profile` unless others are given."""
    body = {"name": "Nightly report", "scopes": scopes or ["profile"], **options}
    response = owner.post(KEYS, json=body)
    assert response.status_code == 201, response.text
    created = response.get_json()
    return KeyHolder(owner.client.application.test_client(), created["id"], created["key"])
