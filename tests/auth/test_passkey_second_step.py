"""A passkey as the second step of a sign-in, and as a recent proof of identity."""

from typing import Any

import jwt
import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import UP, UV, Authenticator
from tests.support.factories import PASSWORD, make_user
from tests.support.passkeys import add_passkey, is_rejected, request_sign_in, sign_in_by_passkey
from tests.support.sql import execute_sql, fetch_rows

LOGIN, STEP, STEP_OPTIONS = (
    "/userapi/auth/login/", "/userapi/auth/login/second-step/", "/userapi/auth/login/second-step/options/",
)  # fmt: skip
PROVE, PROVE_OPTIONS = "/userapi/auth/prove/", "/userapi/auth/prove/options/"


@pytest.fixture
def authenticator(app: Flask, caller: ApiUser) -> Authenticator:
    """A security key of the user, which does not verify its user."""
    return add_passkey(app, caller.id, flags=UP)


def begin(app: Flask, user: ApiUser) -> str:
    """Sign in with the password. Returns the token for the second step."""
    response = app.test_client().post(LOGIN, json={"email": user.email, "password": user.password})
    assert (response.status_code, response.get_json()["code"]) == (401, "second_step_needed"), response.text
    assert "passkey" in response.get_json()["ways"]
    return str(response.get_json()["mfa_token"])


def options_of(app: Flask, mfa_token: str) -> dict[str, Any]:
    response = app.test_client().post(STEP_OPTIONS, json={"mfa_token": mfa_token})
    assert response.status_code == 200, response.text
    options: dict[str, Any] = response.get_json()["publicKey"]
    return options


def finish(app: Flask, mfa_token: str, credential: Any, **more: Any) -> Any:
    return app.test_client().post(STEP, json={"mfa_token": mfa_token, "credential": credential, **more})


def claims_of(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    return dict(jwt.decode(response.get_json()["access_token"], options={"verify_signature": False}))


def test_S45_a_touch_is_enough_as_second_step(app: Flask, caller: ApiUser, authenticator: Authenticator) -> None:
    token = begin(app, caller)
    options = options_of(app, token)

    signed_in = finish(app, token, authenticator.get(options, flags=UP))

    assert options["userVerification"] == "discouraged"
    assert len(options["allowCredentials"]) == 1
    assert claims_of(signed_in)["acr"] == "aal2"
    assert claims_of(signed_in)["amr"] == ["pwd", "pop", "mfa"]
    assert signed_in.get_json()["user"]["id"] == caller.id


def test_a_wrong_passkey_leaves_the_sign_in_open(app: Flask, caller: ApiUser, authenticator: Authenticator) -> None:
    token = begin(app, caller)

    assert is_rejected(finish(app, token, authenticator.get(options_of(app, token), origin="http://evil.example")))
    assert finish(app, token, authenticator.get(options_of(app, token))).status_code == 200
    again = finish(app, token, authenticator.get(options_of(app, begin(app, caller))))
    assert again.get_json()["code"] == "mfa_token_invalid"


def test_S33_the_passkey_of_another_user_is_rejected(app: Flask, caller: ApiUser, authenticator: Authenticator) -> None:
    other = add_passkey(app, make_user(app, email_verified=True))
    token = begin(app, caller)
    options = options_of(app, token)

    stolen = {name: value for name, value in options.items() if name != "allowCredentials"}
    assert is_rejected(finish(app, token, other.get(stolen)))
    assert finish(app, token, authenticator.get(options)).status_code == 200


def test_S39_a_challenge_of_another_sign_in_or_purpose_is_rejected(
    app: Flask, caller: ApiUser, authenticator: Authenticator
) -> None:
    first, second = begin(app, caller), begin(app, caller)

    assert is_rejected(finish(app, second, authenticator.get(options_of(app, first))))
    of_sign_in = options_of(app, second) | {"challenge": request_sign_in(app)["challenge"]}
    assert is_rejected(finish(app, second, authenticator.get(of_sign_in)))
    of_proof = caller.post(PROVE_OPTIONS, json={}).get_json()["publicKey"]
    assert is_rejected(finish(app, second, authenticator.get(of_proof)))


def test_S65_a_change_of_the_account_voids_the_sign_in(
    app: Flask, caller: ApiUser, authenticator: Authenticator
) -> None:
    token = begin(app, caller)
    credential = authenticator.get(options_of(app, token))
    execute_sql(app, "UPDATE users SET session_version = session_version + 1 WHERE id = :id", id=caller.id)

    assert finish(app, token, credential).get_json()["code"] == "mfa_token_invalid"
    assert app.test_client().post(STEP_OPTIONS, json={"mfa_token": token}).get_json()["code"] == "mfa_token_invalid"


def test_S46_a_second_step_with_a_PIN_lets_the_passkey_sign_in_alone(
    app: Flask, caller: ApiUser, authenticator: Authenticator
) -> None:
    assert is_rejected(sign_in_by_passkey(app, authenticator, flags=UP | UV))
    token = begin(app, caller)

    finish(app, token, authenticator.get(options_of(app, token), flags=UP | UV))

    assert sign_in_by_passkey(app, authenticator, flags=UP | UV).status_code == 200


def test_S46_a_proof_without_a_PIN_does_not(app: Flask, caller: ApiUser, authenticator: Authenticator) -> None:
    token = begin(app, caller)

    finish(app, token, authenticator.get(options_of(app, token), flags=UP))

    assert is_rejected(sign_in_by_passkey(app, authenticator, flags=UP | UV))


def test_S63_a_passkey_that_signs_in_alone_needs_no_second_step(app: Flask, caller: ApiUser) -> None:
    authenticator = add_passkey(app, caller.id)

    assert claims_of(sign_in_by_passkey(app, authenticator))["acr"] == "aal2"


def test_the_device_is_remembered_after_a_passkey(app: Flask, caller: ApiUser, authenticator: Authenticator) -> None:
    token = begin(app, caller)

    device = finish(app, token, authenticator.get(options_of(app, token)), remember_device=True).get_json()

    credentials = {"email": caller.email, "password": PASSWORD, "device_token": device["device_token"]}
    assert app.test_client().post(LOGIN, json=credentials).status_code == 200


def test_the_body_has_either_a_code_or_a_credential(app: Flask, caller: ApiUser, authenticator: Authenticator) -> None:
    token = begin(app, caller)

    for body in ({}, {"code": "123456", "credential": {}}, {"credential": []}):
        assert app.test_client().post(STEP, json={"mfa_token": token, **body}).status_code == 400
    assert is_rejected(finish(app, token, {}))


def test_S34_a_passkey_proves_the_identity_for_new_tokens_only(
    app: Flask, caller: ApiUser, authenticator: Authenticator
) -> None:
    stolen = ApiUser(app.test_client(), caller.id, caller.email, caller.password, dict(caller.tokens))
    options = caller.post(PROVE_OPTIONS, json={}).get_json()["publicKey"]

    proved = caller.post(PROVE, json={"credential": authenticator.get(options)})
    caller.tokens = proved.get_json()

    assert (proved.status_code, caller.tokens["acr"]) == (200, "aal2")
    assert claims_of(proved)["amr"] == ["pwd", "pop", "mfa"]
    fresh = "/userapi/auth/factors/passkeys/options/"
    assert caller.post(fresh, json={}).status_code == 200
    assert stolen.post(fresh, json={}).status_code == 403


def test_S33_S38_a_proof_by_another_users_passkey_or_a_used_challenge_is_rejected(
    app: Flask, caller: ApiUser, authenticator: Authenticator
) -> None:
    other = add_passkey(app, make_user(app, email_verified=True))
    options = caller.post(PROVE_OPTIONS, json={}).get_json()["publicKey"]
    credential = authenticator.get(options)

    assert is_rejected(caller.post(PROVE, json={"credential": other.get(options | {"allowCredentials": []})}))
    assert caller.post(PROVE, json={"credential": credential}).status_code == 200
    assert is_rejected(caller.post(PROVE, json={"credential": credential}))


def test_an_account_without_a_passkey_gets_no_options(caller: ApiUser) -> None:
    response = caller.post(PROVE_OPTIONS, json={})

    assert (response.status_code, response.get_json()["code"]) == (409, "no_passkey")


def test_S14_a_passkey_works_while_codes_are_locked_and_unlocks_them(
    app: Flask, caller: ApiUser, authenticator: Authenticator
) -> None:
    execute_sql(app, "UPDATE second_factors SET failures = 100")
    token = begin(app, caller)

    assert finish(app, token, authenticator.get(options_of(app, token))).status_code == 200
    assert fetch_rows(app, "SELECT failures FROM second_factors") == [(0,)]
