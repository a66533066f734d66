"""Errors: every response is a problem document with the request id and without secrets."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import new_user
from userapi.users import user_json

USERS = "/userapi/users/"
Attempt = Callable[[FlaskClient, ApiUser], TestResponse]

ATTEMPTS: dict[str, tuple[int, Attempt]] = {
    "malformed": (400, lambda client, user: client.post(USERS, data=b"{", content_type="application/json")),
    "invalid": (400, lambda client, user: client.post(USERS, json={})),
    "taken": (400, lambda client, user: client.post(USERS, json=new_user(email=user.email))),
    "weak": (400, lambda client, user: client.post(USERS, json=new_user(password="1"))),
    "anonymous": (401, lambda client, user: client.get(user.url)),
    "bad token": (401, lambda client, user: client.get(user.url, headers={"Authorization": "Bearer x.y.z"})),
    "bad login": (401, lambda client, user: client.post("/api-token-auth/", json={"email": "a@b.co", "password": "x"})),
    "not allowed": (403, lambda client, user: user.get(USERS)),
    "no address": (404, lambda client, user: client.get("/userapi/nothing/")),
    "no object": (
        404,
        lambda client, user: user.delete("/userapi/auth/sessions/00000000-0000-4000-8000-000000000000/"),
    ),
    "wrong method": (405, lambda client, user: client.delete(USERS)),
    "wrong answer": (406, lambda client, user: user.get(user.url, headers={"Accept": "application/xml"})),
    "stale": (412, lambda client, user: user.patch(user.url, json={}, headers={"If-Match": '"x"'})),
    "too large": (413, lambda client, user: client.post(USERS, data=b" " * 1_100_000, content_type="application/json")),
    "media type": (415, lambda client, user: client.post(USERS, data=b"x", content_type="text/plain")),
}


@pytest.mark.parametrize("kind", ATTEMPTS)
def test_V01_every_error_is_a_problem_document(client: FlaskClient, user: ApiUser, kind: str) -> None:
    status, attempt = ATTEMPTS[kind]

    response = attempt(client, user)

    assert_problem(response, status)


def assert_problem(response: TestResponse, status: int) -> None:
    """Check that a response is a problem document with this status."""
    problem = response.get_json()
    assert response.status_code == problem["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert set(problem) <= {"type", "title", "status", "detail", "code", "errors"}
    assert all(isinstance(problem[name], str) and problem[name] for name in ("type", "title", "detail", "code"))
    assert problem["code"] == problem["code"].lower().replace(" ", "_")
    assert "errors" not in problem or problem["errors"]
    assert len(response.headers["X-Request-ID"]) >= 16
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


class Secret(Exception):
    """An error whose text must not be shown."""


def let_reading_fail(app: Flask, error: Exception) -> None:
    """Let every read of an account raise an error."""

    def fail(**_options: Any) -> None:
        raise error

    fail.access = app.view_functions["users.read_user"].access  # type: ignore[attr-defined]
    app.view_functions["users.read_user"] = fail


def test_O05_only_the_log_has_the_details_of_an_unexpected_error(
    make_app: Callable[..., Flask], user: ApiUser, capfd: pytest.CaptureFixture[str]
) -> None:
    app = make_app()
    let_reading_fail(app, Secret("host=10.0.0.7 password=hunter2"))

    response = app.test_client().get(user.url, headers={"X-Request-ID": "find-me-42", **user.headers})

    assert_problem_of_server(response, 500, "internal_error")
    assert response.headers["X-Request-ID"] == "find-me-42"
    (line,) = [json.loads(text) for text in capfd.readouterr().err.splitlines() if "unexpected error" in text]
    assert line["request_id"] == "find-me-42"
    assert "hunter2" in line["exception"]
    assert "Traceback" in line["exception"]
    assert app.test_client().get("/userapi/auth/user/", headers=user.headers).status_code == 200


@pytest.mark.parametrize(
    "error",
    [
        sa.exc.OperationalError("SELECT secret", {}, Exception("server closed the connection")),
        sa.exc.InterfaceError("SELECT secret", {}, Exception("gone")),
        sa.exc.TimeoutError("QueuePool limit of size 5"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_X03_an_unreachable_database_is_a_503_with_retry_after(
    make_app: Callable[..., Flask], user: ApiUser, error: Exception
) -> None:
    app = make_app()
    let_reading_fail(app, error)

    response = app.test_client().get(user.url, headers=user.headers)

    assert_problem_of_server(response, 503, "unavailable")
    assert int(response.headers["Retry-After"]) > 0


def assert_problem_of_server(response: TestResponse, status: int, code: str) -> None:
    """Check that a response is a problem document without internal details."""
    problem = response.get_json()
    assert response.status_code == problem["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["code"] == code
    for word in (
        "Traceback",
        "SELECT",
        "secret",
        "hunter2",
        "10.0.0.7",
        "QueuePool",
        "userapi/",
        "sqlalchemy",
        "Secret",
    ):
        assert word not in response.text


def test_a_500_rolls_everything_back(app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_user: object) -> None:
        raise Secret

    with monkeypatch.context() as broken:
        broken.setattr(user_json, "from_user", fail)
        assert user.client.post(USERS, json=new_user(email="half@example.com")).status_code == 500

    assert user.client.post(USERS, json=new_user(email="half@example.com")).status_code == 201


@pytest.mark.parametrize("sent", ["abc", "A-b_c.9", "x" * 128])
def test_O04_a_valid_request_id_is_kept(client: FlaskClient, sent: str) -> None:
    assert client.get("/userapi/", headers={"X-Request-ID": sent}).headers["X-Request-ID"] == sent
    assert client.get("/nothing", headers={"X-Request-ID": sent}).headers["X-Request-ID"] == sent


@pytest.mark.parametrize(
    "sent", ["", " ", "x" * 129, "a b", "a\tb", "é", "<script>", "a;b", "a,b", "${jndi:x}", '"', "a/b"]
)
def test_O04_any_other_request_id_is_replaced(client: FlaskClient, sent: str) -> None:
    first, second = (client.get("/userapi/", headers={"X-Request-ID": sent}).headers["X-Request-ID"] for _ in range(2))

    assert first != second
    assert first.isalnum()
    assert len(first) == 32


def test_O04_the_log_line_of_a_request_has_its_id(client: FlaskClient, capfd: pytest.CaptureFixture[str]) -> None:
    client.get("/userapi/", headers={"X-Request-ID": "find-me-43"})

    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in lines if line.get("request_id") == "find-me-43"] == ["request"]
