"""Simultaneous changes of second factors against a server with two workers: one of them wins."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import Authenticator
from tests.support.passkeys import ORIGIN
from tests.support.race import run_simultaneously
from tests.support.second_factors import FACTORS, add_app, confirm_app, forget_used_steps, prove
from tests.support.sql import execute_sql, fetch_number

pytestmark = [pytest.mark.both, pytest.mark.slow, pytest.mark.usefixtures("served_by_two_workers")]

PASSKEYS = f"{FACTORS}passkeys/"


def set_up_and_prove(app: Flask, caller: ApiUser) -> str:
    """Set up the first app, and prove the identity by it; the path of the app."""
    phone = add_app(caller)
    assert confirm_app(caller, phone).status_code == 201
    forget_used_steps(app)
    prove(caller, phone.code())
    forget_used_steps(app)
    return f"{FACTORS}totp/{phone.id}/"


def request_passkey(caller: ApiUser, **changes: bytes) -> dict[str, object]:
    options = caller.post(f"{PASSKEYS}options/", json={}).get_json()["publicKey"]
    return {"credential": Authenticator(ORIGIN).create(options, **changes)}


def test_S27_of_simultaneous_confirmations_one_succeeds_and_makes_codes(app: Flask, caller: ApiUser) -> None:
    added = add_app(caller)

    responses = run_simultaneously([lambda: confirm_app(caller, added)] * 8)

    assert [response.status_code for response in responses].count(201) == 1
    assert {response.status_code for response in responses} <= {201, 400, 404, 429}
    assert fetch_number(app, "SELECT count(*) FROM recovery_codes") == 10


def test_S19_of_sets_of_recovery_codes_that_are_created_at_the_same_time_one_is_good(
    app: Flask, caller: ApiUser
) -> None:
    set_up_and_prove(app, caller)

    responses = run_simultaneously([lambda: caller.post(f"{FACTORS}recovery-codes/")] * 8)

    assert [response.status_code for response in responses] == [201] * 8
    good = [[is_good(app, caller, code) for code in response.get_json()["codes"]] for response in responses]
    assert sorted(map(any, good)) == [False] * 7 + [True]
    assert sorted(map(all, good)) == [False] * 7 + [True]


def is_good(app: Flask, caller: ApiUser, code: str) -> bool:
    execute_sql(app, "UPDATE second_factors SET failures = 0")
    body = {"email": caller.email, "password": caller.password, "code": code}
    return app.test_client().post("/api-token-auth/", json=body).status_code == 200


def test_S31_of_simultaneous_removals_of_the_last_two_factors_one_succeeds(app: Flask, caller: ApiUser) -> None:
    first = set_up_and_prove(app, caller)
    tablet = add_app(caller, "Tablet")
    assert confirm_app(caller, tablet).status_code == 201
    execute_sql(app, "INSERT INTO groups (name, requires_second_step) VALUES ('Payments', true)")
    execute_sql(app, "INSERT INTO user_groups (user_id, group_id) SELECT :id, id FROM groups", id=caller.id)
    paths = [f"{path}?keep_sessions=true" for path in (first, f"{FACTORS}totp/{tablet.id}/")]

    responses = run_simultaneously([lambda path=path: caller.delete(path) for path in paths])

    assert sorted(response.status_code for response in responses) == [204, 409]
    assert fetch_number(app, "SELECT count(*) FROM totp_devices") == 1


def test_S53_of_accounts_that_add_one_credential_id_at_the_same_time_one_succeeds(
    app: Flask, make_api_user: Callable[..., ApiUser]
) -> None:
    users = [make_api_user(email_verified=True) for _ in range(8)]
    sent = [(user, request_passkey(user, credential_id=b"the same for all")) for user in users]

    responses = run_simultaneously([lambda user=user, body=body: user.post(PASSKEYS, json=body) for user, body in sent])

    assert sorted(response.status_code for response in responses) == [201] + [409] * 7
    assert {response.get_json().get("code") for response in responses} == {None, "passkey_known"}
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 1


def test_S54_of_passkeys_for_one_challenge_at_the_same_time_one_is_added(app: Flask, caller: ApiUser) -> None:
    set_up_and_prove(app, caller)  # adding the first factor would stop the others too
    options = caller.post(f"{PASSKEYS}options/", json={}).get_json()["publicKey"]
    bodies = [{"credential": Authenticator(ORIGIN).create(options)} for _ in range(8)]

    responses = run_simultaneously([lambda body=body: caller.post(PASSKEYS, json=body) for body in bodies])

    assert sorted(response.status_code for response in responses) == [201] + [400] * 7
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 1
