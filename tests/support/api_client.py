"""Callers of the API over Flask's test client."""

from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import PASSWORD


class ApiClient(FlaskClient):
    """A client whose requests see only what was committed, as in production."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        with self.application.app_context():
            return super().open(*args, **kwargs)


@dataclass
class ApiUser:
    """A signed-in caller: `user.get("/userapi/auth/user/")`."""

    client: FlaskClient
    id: int
    email: str
    password: str
    tokens: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def url(self) -> str:
        return f"/userapi/users/{self.id}/"

    def open(self, path: str, **options: Any) -> TestResponse:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.open(path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="GET", **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="POST", **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="PUT", **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="PATCH", **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="DELETE", **options)


def sign_in(app: Flask, email: str, password: str = PASSWORD) -> dict[str, Any]:
    """The tokens of a new session."""
    response = app.test_client().post("/api-token-auth/", json={"email": email, "password": password})
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.get_json()
    return tokens


def can_sign_in(app: Flask, email: str, password: str = PASSWORD) -> bool:
    """Whether these credentials are accepted."""
    response = app.test_client().post("/api-token-auth/", json={"email": email, "password": password})
    return response.status_code == 200
