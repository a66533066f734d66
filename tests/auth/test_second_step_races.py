"""Simultaneous sign-ins, proofs and codes against a server with two workers: one of them wins."""

import itertools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import UP, UV
from tests.support.factories import PASSWORD, make_user
from tests.support.http_server import Server
from tests.support.passkeys import add_passkey, request_sign_in, send_credential
from tests.support.race import run_simultaneously
from tests.support.second_factors import FACTORS, add_app, confirm_app, set_up_app, verify_email
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.two_steps import SECOND_STEP, Owner, make_owner

pytestmark = [pytest.mark.both, pytest.mark.slow, pytest.mark.usefixtures("served_by_two_workers")]

SESSIONS = "SELECT count(*) FROM login_sessions"
OWN = "/userapi/auth/user/"


def outcomes(responses: list[Any]) -> Counter[str]:
    """How often each code of an error was returned, or none."""
    return Counter(response.get_json().get("code", "signed in") for response in responses)


def begin_without_step(app: Flask, user: ApiUser, call: Callable[[], Any]) -> list[Any]:
    """Make a call while others sign in with the password; the call's response, and those of active sessions."""
    body = {"email": user.email, "password": user.password}
    calls = [call, *[lambda: app.test_client().post("/api-token-auth/", json=body)] * 12]
    called, *signed_in = run_simultaneously(calls)

    assert {response.status_code for response in signed_in} <= {200, 401}
    bearers = [f"Bearer {each.get_json()['access_token']}" for each in signed_in if each.status_code == 200]
    own = [app.test_client().get(OWN, headers={"Authorization": bearer}) for bearer in bearers]
    return [called, *(response for response in own if response.status_code != 401)]


def test_S06_a_sign_in_at_the_moment_of_the_first_factor_begins_no_session_without_the_step(
    app: Flask, user: ApiUser
) -> None:
    verify_email(app, user.id)
    added = add_app(user)

    confirmed, *active = begin_without_step(app, user, lambda: confirm_app(user, added))

    assert (confirmed.status_code, active) == (201, [])


def test_S29_a_sign_in_at_the_moment_of_turning_it_on_begins_no_session_without_the_step(
    app: Flask, user: ApiUser
) -> None:
    set_up_app(app, user.id)
    execute_sql(app, "UPDATE second_factors SET active_since = NULL")

    turned_on, *active = begin_without_step(app, user, lambda: user.patch(FACTORS, json={"second_step": True}))

    assert (turned_on.status_code, active) == (200, [])


def test_S08_of_thirty_simultaneous_second_steps_with_one_code_one_begins_a_session(owner: Owner) -> None:
    tokens, code = [owner.mfa_token() for _ in range(30)], owner.phone.code()

    found = outcomes(run_simultaneously([lambda token=token: owner.second_step(token, code) for token in tokens]))

    assert found["signed in"] == 1, found
    assert set(found) <= {"signed in", "invalid_code", "rate_limited"}
    assert fetch_number(owner.app, SESSIONS) == 1


def test_S17_of_thirty_simultaneous_second_steps_with_one_recovery_code_one_begins_a_session(owner: Owner) -> None:
    tokens, code = [owner.mfa_token() for _ in range(30)], owner.recovery_codes[0]

    found = outcomes(run_simultaneously([lambda token=token: owner.second_step(token, code) for token in tokens]))

    assert found["signed in"] == 1, found
    assert set(found) <= {"signed in", "invalid_code", "rate_limited"}
    assert fetch_number(owner.app, SESSIONS) == 1
    assert fetch_number(owner.app, "SELECT count(*) FROM recovery_codes WHERE used_at IS NOT NULL") == 1


def test_S64_one_session_begins_however_many_codes_are_sent_for_one_token(owner: Owner) -> None:
    token = owner.mfa_token()
    calls = [lambda code=code: owner.second_step(token, code) for code in owner.recovery_codes * 2]

    found = outcomes(run_simultaneously(calls))

    assert found["signed in"] == 1, found
    assert set(found) <= {"signed in", "invalid_code", "mfa_token_invalid", "rate_limited"}
    assert fetch_number(owner.app, SESSIONS) == 1
    assert fetch_number(owner.app, "SELECT count(*) FROM recovery_codes WHERE used_at IS NOT NULL") == 1


def test_S64_one_session_begins_however_many_answers_of_a_passkey_are_sent_for_one_token(
    app: Flask, owner: Owner
) -> None:
    authenticator = add_passkey(app, owner.id)
    token, client = owner.mfa_token(), app.test_client()
    options = [client.post(f"{SECOND_STEP}options/", json={"mfa_token": token}).get_json() for _ in range(12)]
    bodies = [{"mfa_token": token, "credential": authenticator.get(each["publicKey"])} for each in options]

    found = outcomes(
        run_simultaneously([lambda body=body: app.test_client().post(SECOND_STEP, json=body) for body in bodies])
    )

    assert found["signed in"] == 1, found
    assert set(found) == {"signed in", "mfa_token_invalid"}
    assert fetch_number(app, SESSIONS) == 1


def test_S11_of_forty_simultaneous_wrong_codes_five_are_looked_at(owner: Owner) -> None:
    tokens, wrong = [owner.mfa_token() for _ in range(40)], owner.phone.wrong_code()

    responses = run_simultaneously([lambda token=token: owner.second_step(token, wrong) for token in tokens])

    assert outcomes(responses) == {"invalid_code": 5, "rate_limited": 35}
    waits = {int(response.headers["Retry-After"]) for response in responses if response.status_code == 429}
    assert min(waits) >= 20
    assert max(waits) <= 31  # one more where the last wrong code was counted just after the request had come
    assert fetch_number(owner.app, "SELECT failures FROM second_factors") == 5
    assert owner.second_step(tokens[0], owner.phone.code()).get_json()["code"] == "rate_limited"


def test_S38_of_twenty_sign_ins_with_one_challenge_one_succeeds(app: Flask) -> None:
    credential = add_passkey(app, make_user(app, email_verified=True)).get(request_sign_in(app))

    found = outcomes(run_simultaneously([lambda: send_credential(app, credential)] * 20))

    assert found == {"signed in": 1, "invalid_passkey": 19}
    assert fetch_number(app, SESSIONS) == 1


def test_S50_parallel_sign_ins_with_rising_counters_keep_the_highest(app: Flask) -> None:
    authenticator = add_passkey(app, make_user(app, email_verified=True), flags=UP | UV, sign_count=1)
    counts = range(2, 14)
    credentials = [authenticator.get(request_sign_in(app), sign_count=count) for count in counts]

    responses = run_simultaneously([lambda sent=sent: send_credential(app, sent) for sent in credentials])

    assert set(outcomes(responses)) <= {"signed in", "invalid_passkey"}
    accepted = [count for count, response in zip(counts, responses, strict=True) if response.status_code == 200]
    assert fetch_rows(app, "SELECT sign_count FROM passkeys") == [(max(accepted),)]


@pytest.mark.unmeasured
def test_S87_sixteen_users_who_do_second_steps_for_ten_seconds_see_no_error_of_the_database(
    app: Flask, served_by_two_workers: Server
) -> None:
    owners = [make_owner(app) for _ in range(16)]
    authenticators = [add_passkey(app, owner.id) for owner in owners]
    end = time.monotonic() + 10

    def sign_in_until_the_end(number: int) -> Counter[int]:
        owner, client, found = owners[number], app.test_client(), Counter[int]()
        for code in itertools.chain(owner.recovery_codes, itertools.repeat(None)):
            if time.monotonic() > end:
                break
            first = client.post("/userapi/auth/login/", json=owner.credentials)
            found[first.status_code] += 1
            body = {"mfa_token": first.get_json()["mfa_token"]}
            if code is not None:
                body["code"] = code
            else:
                options = client.post(f"{SECOND_STEP}options/", json=body).get_json()["publicKey"]
                body["credential"] = authenticators[number].get(options)
            found[client.post(SECOND_STEP, json=body).status_code] += 1
        return found

    total = sum(run_simultaneously([lambda each=each: sign_in_until_the_end(each) for each in range(16)]), Counter())

    assert set(total) == {200, 401}, total
    assert total[200] == total[401] > 100
    log = served_by_two_workers.log.read_text().lower()
    assert not [word for word in ("locked", "deadlock", "traceback") if word in log]
    assert PASSWORD not in log
