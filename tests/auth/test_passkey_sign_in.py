"""Signing in with a passkey alone: it is accepted once, of an account that may sign in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask

from tests.support.authenticator import Authenticator, encode
from tests.support.factories import make_account, make_user
from tests.support.passkeys import (
    OPTIONS,
    ORIGIN,
    add_passkey,
    is_rejected,
    request_sign_in,
    send_credential,
    sign_in_by_passkey,
)
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.statement_counter import record_statements
from userapi.auth import pruning
from userapi.core import clock


def count_sessions(app: Flask) -> int:
    return fetch_number(app, "SELECT count(*) FROM login_sessions")


def test_S63_a_passkey_alone_begins_a_session_of_the_higher_level(
    app: Flask, user_id: int, authenticator: Authenticator
) -> None:
    signed_in = sign_in_by_passkey(app, authenticator)

    assert signed_in.status_code == 200, signed_in.text
    pair = signed_in.get_json()
    assert pair["user"]["id"] == user_id
    claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
    assert (claims["acr"], claims["amr"]) == ("aal2", ["pop", "mfa"])
    assert fetch_rows(app, "SELECT way, amr FROM login_sessions") == [("passkey", "pop mfa")]
    own = app.test_client().get("/userapi/auth/user/", headers={"Authorization": f"Bearer {pair['access_token']}"})
    assert own.status_code == 200


def test_a_sign_in_by_passkey_can_set_cookies(app: Flask, authenticator: Authenticator) -> None:
    signed_in = sign_in_by_passkey(app, authenticator)
    in_cookies = send_credential(app, authenticator.get(request_sign_in(app)), cookies=True)

    assert "access_token" in signed_in.get_json()
    assert "access_token" not in in_cookies.get_json()
    assert any(value.startswith("access_token=") for value in in_cookies.headers.getlist("Set-Cookie"))


def test_S38_a_challenge_is_accepted_once(app: Flask, authenticator: Authenticator) -> None:
    credential = authenticator.get(request_sign_in(app))

    assert send_credential(app, credential).status_code == 200
    assert is_rejected(send_credential(app, credential))
    assert count_sessions(app) == 1


def test_S39_an_expired_cut_or_invented_challenge_is_rejected(
    app: Flask, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = request_sign_in(app)

    for challenge in (options["challenge"][:-1], options["challenge"][:-4], encode(bytes(56)), "", "é"):
        assert is_rejected(send_credential(app, authenticator.get(options, challenge=challenge)))
    later = clock.now() + timedelta(minutes=5, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert is_rejected(send_credential(app, authenticator.get(options)))
    assert count_sessions(app) == 0


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_a_passkey_of_each_algorithm_signs_in(app: Flask, user_id: int, algorithm: int) -> None:
    assert sign_in_by_passkey(app, add_passkey(app, user_id, algorithm=algorithm)).status_code == 200


def test_S40_options_store_nothing(app: Flask) -> None:
    with record_statements(app) as seen:
        for _ in range(20):
            request_sign_in(app)

    assert seen == []


def test_S41_the_first_tab_can_respond_after_the_second_has_requested_options(
    app: Flask, authenticator: Authenticator
) -> None:
    first, second = request_sign_in(app), request_sign_in(app)

    assert first["challenge"] != second["challenge"]
    assert send_credential(app, authenticator.get(first)).status_code == 200
    assert send_credential(app, authenticator.get(second)).status_code == 200


def test_S58_options_are_the_same_for_every_account(app: Flask, authenticator: Authenticator) -> None:
    first, second = request_sign_in(app), request_sign_in(app)

    assert first | {"challenge": ""} == second | {"challenge": ""}
    assert first["allowCredentials"] == []
    assert first["userVerification"] == "required"
    named = app.test_client().post(OPTIONS, json={"email": make_account(app)})
    assert named.status_code == 400
    assert "email" in named.get_json()["errors"]
    signed_in = sign_in_by_passkey(app, authenticator).get_json()["access_token"]
    of_owner = app.test_client().post(OPTIONS, json={}, headers={"Authorization": f"Bearer {signed_in}"})
    assert of_owner.get_json()["publicKey"] | {"challenge": ""} == first | {"challenge": ""}


def test_S60_a_user_handle_is_random(app: Flask, user_id: int) -> None:
    """Not even the same account gets the same one again."""
    handles = set()
    for _ in range(2):
        handles.add(add_passkey(app, user_id).passkeys[0].user_handle)
        execute_sql(app, "DELETE FROM second_factors")

    assert [len(handle) for handle in handles] == [64, 64]


def test_S61_accounts_that_may_not_sign_in_get_the_error_of_unknown_passkeys(
    app: Flask, user_id: int, authenticator: Authenticator
) -> None:
    credential = authenticator.get(request_sign_in(app))
    execute_sql(app, "UPDATE users SET is_active = :off WHERE id = :id", off=False, id=user_id)
    unknown = sign_in_by_passkey(app, authenticator, passkey=make_unknown_passkey())

    inactive = send_credential(app, credential)

    assert is_rejected(inactive)
    assert inactive.get_json() == unknown.get_json()
    assert count_sessions(app) == 0


def make_unknown_passkey() -> Any:
    options = {
        "challenge": "",
        "rp": {"id": "accounts.example.com"},
        "user": {"id": encode(b"h" * 64)},
        "pubKeyCredParams": [{"alg": -7}],
    }
    other = Authenticator(ORIGIN)
    other.create(options)
    return other.passkeys[0]


def test_S61_an_unconfirmed_account_does_not_sign_in_where_confirmation_is_mandatory(
    app: Flask, user_id: int, authenticator: Authenticator
) -> None:
    app.config["EMAIL_VERIFICATION"] = "mandatory"
    assert sign_in_by_passkey(app, authenticator).status_code == 200
    execute_sql(app, "UPDATE users SET email_verified_at = NULL WHERE id = :id", id=user_id)

    assert is_rejected(sign_in_by_passkey(app, authenticator))


def test_S62_a_passkey_that_is_removed_while_it_is_used_is_rejected(
    app: Flask, user_id: int, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from userapi.mfa import passkey_use

    original = passkey_use.use_challenge

    def remove_first(challenge: bytes) -> bool:
        from userapi.core.db import db

        db.session.rollback()
        execute_sql(app, "DELETE FROM passkeys WHERE user_id = :id", id=user_id)
        return original(challenge)

    monkeypatch.setattr(passkey_use, "use_challenge", remove_first)

    assert is_rejected(sign_in_by_passkey(app, authenticator))
    assert count_sessions(app) == 0


def test_sign_ins_by_passkey_that_fail_are_throttled_per_client(make_app: Callable[..., Flask]) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_PASSKEY="2 per minute")
    authenticator = add_passkey(app, make_user(app, email_verified=True))

    answers = [sign_in_by_passkey(app, authenticator, origin="http://evil.example").status_code for _ in range(3)]

    assert answers == [401, 401, 429]


def test_passkeys_do_not_sign_in_where_the_setting_says_so(make_app: Callable[..., Flask]) -> None:
    app = make_app(PASSKEY_SIGN_IN="false")
    authenticator = add_passkey(app, make_user(app, email_verified=True))

    assert app.test_client().post(OPTIONS, json={}).get_json()["code"] == "passkeys_unavailable"
    other = make_app()
    credential = authenticator.get(request_sign_in(other))
    assert send_credential(app, credential).get_json()["code"] == "passkeys_unavailable"
    assert send_credential(other, credential).status_code == 200


def test_S88_used_challenges_are_kept_until_they_have_expired(
    app: Flask, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in_by_passkey(app, authenticator)
    now = clock.now()

    left = []
    for hours in (0, 1, 2):
        monkeypatch.setattr(clock, "now", lambda later=now + timedelta(hours=hours): later)
        with app.app_context():
            pruning.prune(now - timedelta(days=90))
        left.append(fetch_number(app, "SELECT count(*) FROM used_challenges"))

    assert left == [2, 2, 0]
