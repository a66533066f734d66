"""Adding passkeys over the API."""

from typing import Any

from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import Authenticator
from tests.support.passkeys import ORIGIN, sign_in_by_passkey

PASSKEYS, OPTIONS = "/userapi/auth/factors/passkeys/", "/userapi/auth/factors/passkeys/options/"


def request_options(user: ApiUser) -> dict[str, Any]:
    """Options to create a passkey."""
    response = user.post(OPTIONS, json={})
    assert response.status_code == 200, response.text
    assert response.get_json()["expires_in"] == 300
    options: dict[str, Any] = response.get_json()["publicKey"]
    return options


def set_up(user: ApiUser, authenticator: Authenticator | None = None, **changes: Any) -> Any:
    """Add a passkey; `changes` are those of `Authenticator.create`."""
    authenticator = authenticator or Authenticator(ORIGIN)
    return user.post(PASSKEYS, json={"credential": authenticator.create(request_options(user), **changes)})


def set_up_and_sign_in(app: Flask, user: ApiUser) -> tuple[Authenticator, str]:
    """Add a passkey and sign in with it, because its session may then do what needs a recent proof of both factors."""
    authenticator = Authenticator(ORIGIN)
    passkey_id = set_up(user, authenticator).get_json()["id"]
    user.tokens = sign_in_by_passkey(app, authenticator).get_json()
    return authenticator, passkey_id


def is_refused(response: Any) -> bool:
    """Whether a new passkey was refused because it fails a check."""
    assert response.status_code == 400, response.text
    return bool(response.get_json()["code"] == "passkey_refused")
