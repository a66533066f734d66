"""The claims that extensions add to access tokens."""

from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.extensions import Extend
from tests.support.extensions import extend as extend
from tests.support.factories import PASSWORD, make_account
from tests.support.form_browser import FormBrowser
from tests.support.sql import fetch_number
from userapi.auth.extension_claims import MAX_BYTES, RESERVED
from userapi.core.problems import Problem
from userapi.users.models import User


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def sign_in(client: FlaskClient, app: Flask) -> Any:
    return client.post("/api-token-auth/", json={"email": make_account(app), "password": PASSWORD})


def test_W29_extensions_add_claims_to_access_tokens_also_when_they_are_refreshed(
    app: Flask, client: FlaskClient, extend: Extend
) -> None:
    def plan(user: User) -> dict[str, Any]:
        return {"plan": "gold", "initial": user.first_name[0]}

    extend(claims=plan)
    extend("club", claims=lambda _user: {"club": [1, 2]})
    pair = sign_in(client, app).get_json()

    again = client.post("/userapi/api-token-refresh/", json={"refresh_token": pair["refresh_token"]}).get_json()

    for each in (pair, again):
        claims = claims_of(each["access_token"])
        assert (claims["plan"], claims["initial"], claims["club"]) == ("gold", "W", [1, 2])
    assert "plan" not in claims_of(pair["refresh_token"])


@pytest.mark.parametrize(
    "claims",
    [
        *({name: "x"} for name in sorted(RESERVED)),
        {"plan": "x" * (MAX_BYTES - 10)},
        {"plan": {1, 2}},
        {"plan": float("nan")},
        {1: "x"},
        ["plan"],
        None,
    ],
    ids=lambda claims: str(claims)[:20],
)
def test_W29_reserved_large_and_malformed_claims_give_no_token(
    app: Flask, client: FlaskClient, extend: Extend, claims: Any, caplog: pytest.LogCaptureFixture
) -> None:
    extend(claims=lambda _user: claims)

    response = sign_in(client, app)

    assert (response.status_code, response.get_json()["code"]) == (500, "internal_error")
    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == 0
    assert "unexpected error" in caplog.text


def test_W29_an_error_of_an_extension_gives_no_token_on_pages_either(
    app: Flask, client: FlaskClient, extend: Extend
) -> None:
    def fail(_user: User) -> dict[str, Any]:
        raise Problem("s3cret")

    extend(claims=fail)
    email = make_account(app)

    response = FormBrowser(app).sign_in(email)

    assert response.status_code == 500
    assert "s3cret" not in response.text
    assert "Set-Cookie" not in response.headers or "access" not in response.headers["Set-Cookie"]
    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == 0
