"""What is logged and what is never logged."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.email_inbox import all_emails
from tests.support.factories import PASSWORD, new_user
from userapi.core.db import db

OTHER_PASSWORD = "lantern gravel oboe 31"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def app_and_lines(make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]) -> tuple[Flask, Lines]:
    """An application, and a function that reads the new lines of its log, each a JSON object."""
    app = make_app(LOG_LEVEL="DEBUG")
    capsys.readouterr()

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    return app, lines


def test_O02_no_secret_is_logged(app_and_lines: tuple[Flask, Lines]) -> None:
    app, lines = app_and_lines
    client, someone = app.test_client(), new_user()
    client.post("/userapi/users/", json=someone)
    login = {"email": someone["email"], "password": PASSWORD}
    first = client.post("/api-token-auth/", json=login).get_json()
    second = client.post("/api-token-refresh/", json={"refresh_token": first["refresh_token"]}).get_json()
    client.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {second['access_token']}"})
    client.get(f"/userapi/auth/user/?token={second['access_token']}&password={PASSWORD}")
    client.post("/api-token-verify/", json={"token": second["access_token"]})
    client.post("/userapi/auth/login/", json={**login, "cookies": True})
    cookie = client.get_cookie("access_token")
    client.post("/userapi/auth/password/reset/", json={"email": someone["email"]})
    reset, verify = all_emails(app, "reset_password")[0], all_emails(app, "verify_email")[0]
    client.get(f"/reset/{reset.uid}/{reset.token}/")
    client.get(f"/verify-email/{verify.token}/")
    passwords = {"new_password1": OTHER_PASSWORD, "new_password2": OTHER_PASSWORD}
    client.post("/userapi/auth/password/reset/confirm/", json={"uid": reset.uid, "token": reset.token, **passwords})
    client.post("/api-token-auth/", json={**login, "password": "not the password"})

    said = json.dumps(lines())

    assert said.count('"request"') >= 12
    assert cookie is not None
    tokens = (*first.values(), *second.values())
    secrets = [text for text in tokens if isinstance(text, str) and len(text) > 20] + [cookie.value]
    for secret in (PASSWORD, OTHER_PASSWORD, "not the password", reset.token, verify.token, *secrets):
        assert secret not in said
        assert secret.rpartition(".")[2] not in said


def test_O02_a_database_error_is_logged_without_the_values(app_and_lines: tuple[Flask, Lines]) -> None:
    app, lines = app_and_lines
    email = new_user()["email"]

    def fail() -> None:
        db.session.execute(sa.text("INSERT INTO users (email) VALUES (:email)"), {"email": email})

    app.add_url_rule("/fail/", view_func=fail, methods=["POST"])
    assert app.test_client().post("/fail/").status_code == 500

    (line,) = [line for line in lines() if line["event"] == "unexpected error"]

    assert "IntegrityError" in line["exception"]
    assert "INSERT INTO users" in line["exception"]
    assert email not in line["exception"]


@pytest.mark.parametrize("text", ['a\r\n{"event":"forged"}', "a\x1b[31mred", 'a"},{"event":"forged"}', "a\u2028b"])
def test_O03_no_input_adds_a_line_or_a_field(app_and_lines: tuple[Flask, Lines], text: str) -> None:
    app, lines = app_and_lines
    client = app.test_client()
    client.post("/api-token-auth/", json={"email": f"{text}@example.com", "password": text})
    client.post("/userapi/users/", json=new_user(first_name=text, email=f"{text}@example.com"))
    client.get(f"/userapi/{text!r}/", query_string={"next": text})
    client.get("/userapi/", headers={"User-Agent": text.replace("\r\n", " "), "X-Request-ID": text[-9:]})

    found = lines()

    assert [line["event"] for line in found if line["event"] == "request"] == ["request"] * 4
    assert "forged" not in {line["event"] for line in found}


def test_O06_long_input_does_not_fill_the_log(app_and_lines: tuple[Flask, Lines]) -> None:
    app, lines = app_and_lines
    client, long = app.test_client(), "x" * 500_000
    client.post("/api-token-auth/", json={"email": long, "password": long})
    client.post("/userapi/users/", json=new_user(first_name=long) | {long: long})
    client.get(
        "/userapi/" + long, headers={"User-Agent": long, "X-Request-ID": long, "Authorization": f"Bearer {long}"}
    )

    found = lines()

    assert len(found) >= 3
    assert max(len(json.dumps(line)) for line in found) < 3000


def test_O06_an_error_that_quotes_long_input_does_not_fill_the_log_either(
    app_and_lines: tuple[Flask, Lines],
) -> None:
    app, lines = app_and_lines

    def fail(rest: str) -> None:
        raise ValueError(rest)

    app.add_url_rule("/fail/<path:rest>", view_func=fail, methods=["GET"])
    app.test_client().get("/fail/" + "x" * 500_000)
    app.test_client().open("/userapi/", method="X" * 500_000)

    failed, of_failed, of_strange = lines()

    assert failed["event"] == "unexpected error"
    assert failed["route"] == "/fail/<path:rest>"
    assert failed["exception"].startswith("Traceback")
    assert failed["exception"].endswith("xxx")
    assert len(failed["exception"]) < 25_000
    assert max(len(json.dumps(line)) for line in (of_failed, of_strange)) < 3000
