"""Signing in with a passkey alone: it is accepted only from the right site, key, account and moment, and only once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask

from tests.support.authenticator import BE, BS, UP, UV, Authenticator, encode, make_key
from tests.support.factories import make_account, make_user
from tests.support.passkeys import (
    LOGIN,
    OPTIONS,
    ORIGIN,
    add_passkey,
    request_sign_in,
    send_credential,
    sign_in_by_passkey,
)
from tests.support.race import run_simultaneously
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.auth import pruning
from userapi.core import clock

SECURITY_KEY = UP | UV


@pytest.fixture
def user_id(app: Flask) -> int:
    """A user with a confirmed email address."""
    return make_user(app, email_verified=True)


@pytest.fixture
def authenticator(app: Flask, user_id: int) -> Authenticator:
    """An authenticator with a passkey of the user."""
    return add_passkey(app, user_id)


def is_rejected(response: Any) -> bool:
    """Whether a sign-in was rejected with the one error for passkeys."""
    assert response.status_code == 401, response.text
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    return bool(response.get_json()["code"] == "invalid_passkey")


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


@pytest.mark.both
def test_S38_of_twenty_sign_ins_with_one_challenge_one_succeeds(app: Flask, user_id: int) -> None:
    credential = add_passkey(app, user_id).get(request_sign_in(app))

    answers = run_simultaneously([lambda: send_credential(app, credential).status_code] * 20)

    assert sorted(answers) == [200] + [401] * 19
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


def test_S40_options_store_nothing(app: Flask, authenticator: Authenticator) -> None:
    for _ in range(20):
        request_sign_in(app)

    assert fetch_number(app, "SELECT count(*) FROM used_challenges") == 1  # of the registration
    sign_in_by_passkey(app, authenticator)
    assert fetch_number(app, "SELECT count(*) FROM used_challenges") == 2


def test_S41_the_first_tab_can_respond_after_the_second_has_requested_options(
    app: Flask, authenticator: Authenticator
) -> None:
    first, second = request_sign_in(app), request_sign_in(app)

    assert first["challenge"] != second["challenge"]
    assert send_credential(app, authenticator.get(first)).status_code == 200
    assert send_credential(app, authenticator.get(second)).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://accounts.example.com:8080", "https://accounts.example.com", "http://evil.accounts.example.com",
        "http://example.com", "null", "", "http://accounts.example.com.", "http://accounts.example.com/",
        "http://accounts.exаmple.com", "HTTP://accounts.example.com", ["http://accounts.example.com"], None,
    ],
)  # fmt: skip
def test_S42_a_passkey_used_on_another_origin_is_rejected(
    app: Flask, authenticator: Authenticator, origin: Any
) -> None:
    assert is_rejected(sign_in_by_passkey(app, authenticator, origin=origin))
    assert sign_in_by_passkey(app, authenticator).status_code == 200


def test_S42_headers_of_a_request_do_not_change_which_site_passkeys_belong_to(
    app: Flask, authenticator: Authenticator
) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}

    options = app.test_client().post(OPTIONS, json={}, headers=forged).get_json()["publicKey"]
    credential = authenticator.get(options, origin="http://evil.example")

    assert options["rpId"] == "accounts.example.com"
    assert is_rejected(app.test_client().post(LOGIN, json={"credential": credential}, headers=forged))


def test_S43_a_passkey_of_another_site_or_ceremony_is_rejected(app: Flask, authenticator: Authenticator) -> None:
    assert is_rejected(sign_in_by_passkey(app, authenticator, rp_id="evil.example"))
    assert is_rejected(sign_in_by_passkey(app, authenticator, type="webauthn.create"))


@pytest.mark.parametrize(
    "client_data",
    [
        {"crossOrigin": True}, {"crossOrigin": 0}, {"crossOrigin": None}, {"topOrigin": "http://evil.example"},
        {"topOrigin": ORIGIN},
    ],
)  # fmt: skip
def test_S44_a_passkey_used_in_a_frame_is_rejected(
    app: Flask, authenticator: Authenticator, client_data: dict[str, Any]
) -> None:
    assert is_rejected(sign_in_by_passkey(app, authenticator, client_data=client_data))


@pytest.mark.parametrize("flags", [UV | BE | BS, UP | BE | BS, BE | BS])
def test_S45_a_passkey_alone_must_verify_its_user(app: Flask, authenticator: Authenticator, flags: int) -> None:
    assert is_rejected(sign_in_by_passkey(app, authenticator, flags=flags))


def test_S46_a_passkey_that_was_added_without_verification_does_not_sign_in_alone(app: Flask, user_id: int) -> None:
    authenticator = add_passkey(app, user_id, flags=UP)

    assert is_rejected(sign_in_by_passkey(app, authenticator, flags=UP | UV))


def test_S47_a_key_that_is_only_a_second_factor_does_not_sign_in_with_an_invented_handle(
    app: Flask, user_id: int
) -> None:
    authenticator = add_passkey(app, user_id, flags=UP, discoverable=False)
    handle = authenticator.passkeys[0].user_handle

    for sent in (handle, b"1", str(user_id).encode()):
        assert is_rejected(sign_in_by_passkey(app, authenticator, flags=UP | UV, user_handle=sent))


def test_S48_the_user_handle_must_be_that_of_the_account(app: Flask, authenticator: Authenticator) -> None:
    other = add_passkey(app, make_user(app, email_verified=True)).passkeys[0].user_handle
    own = authenticator.passkeys[0].user_handle

    for handle in (None, other, own + b"\x00", own[:-1], b""):
        assert is_rejected(sign_in_by_passkey(app, authenticator, user_handle=handle))
    assert sign_in_by_passkey(app, authenticator, user_handle=own).status_code == 200


def test_S48_an_imported_passkey_has_its_own_user_handle(app: Flask, authenticator: Authenticator) -> None:
    execute_sql(app, "UPDATE passkeys SET handle = :handle", handle=b"7")

    assert sign_in_by_passkey(app, authenticator, user_handle=b"7").status_code == 200
    assert is_rejected(sign_in_by_passkey(app, authenticator))


def test_S49_backup_eligibility_cannot_change(app: Flask, user_id: int, authenticator: Authenticator) -> None:
    device_bound = add_passkey(app, user_id, flags=SECURITY_KEY)

    assert is_rejected(sign_in_by_passkey(app, authenticator, flags=UP | UV))
    assert is_rejected(sign_in_by_passkey(app, device_bound, flags=UP | UV | BE))
    assert is_rejected(sign_in_by_passkey(app, device_bound, flags=UP | UV | BS))
    assert sign_in_by_passkey(app, authenticator, flags=UP | UV | BE).status_code == 200


def counters(app: Flask) -> Any:
    ((count, went_back),) = fetch_rows(app, "SELECT sign_count, counter_went_back_at FROM passkeys")
    return count, went_back is not None


def test_S50_a_passkey_without_a_counter_signs_in(app: Flask, user_id: int) -> None:
    authenticator = add_passkey(app, user_id, flags=SECURITY_KEY)

    assert sign_in_by_passkey(app, authenticator, sign_count=0).status_code == 200
    assert sign_in_by_passkey(app, authenticator, sign_count=0).status_code == 200
    assert counters(app) == (0, False)


def test_S50_a_security_key_whose_counter_does_not_rise_is_rejected_and_its_owner_gets_an_email(
    app: Flask, user_id: int
) -> None:
    authenticator = add_passkey(app, user_id, flags=SECURITY_KEY, sign_count=7)

    assert sign_in_by_passkey(app, authenticator, sign_count=8).status_code == 200
    for count in (8, 7, 0):
        assert is_rejected(sign_in_by_passkey(app, authenticator, sign_count=count))
    assert counters(app) == (8, True)
    assert sign_in_by_passkey(app, authenticator, sign_count=9).status_code == 200
    assert fetch_number(app, "SELECT count(*) FROM messages WHERE kind = 'key_may_be_copied'") == 1
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action = 'passkey.counter_went_back'") == 1


def test_S50_the_counter_of_a_synced_passkey_is_only_noted(app: Flask, user_id: int) -> None:
    authenticator = add_passkey(app, user_id, sign_count=7)

    assert sign_in_by_passkey(app, authenticator, sign_count=3).status_code == 200
    assert counters(app) == (7, True)


@pytest.mark.both
def test_S50_parallel_sign_ins_with_rising_counters_keep_the_highest(app: Flask, user_id: int) -> None:
    authenticator = add_passkey(app, user_id, flags=SECURITY_KEY, sign_count=1)
    credentials = [authenticator.get(request_sign_in(app), sign_count=count) for count in range(2, 8)]

    answers = run_simultaneously(
        [lambda sent=sent: send_credential(app, sent).status_code for sent in credentials]  # type: ignore[misc]
    )

    assert set(answers) <= {200, 401}
    assert counters(app)[0] == max(count for count, answer in zip(range(2, 8), answers, strict=True) if answer == 200)


def flip(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


@pytest.mark.parametrize("change", [flip, lambda raw: raw[:-1], lambda raw: bytes(len(raw)), lambda raw: b""])
@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_S51_a_changed_signature_is_rejected(
    app: Flask, user_id: int, algorithm: int, change: Callable[[bytes], bytes]
) -> None:
    authenticator = add_passkey(app, user_id, algorithm=algorithm)

    assert is_rejected(sign_in_by_passkey(app, authenticator, signature=change))


def test_S51_a_signature_by_another_key_is_rejected(app: Flask, authenticator: Authenticator) -> None:
    passkey = authenticator.passkeys[0]
    passkey.private = make_key(-7)

    assert is_rejected(sign_in_by_passkey(app, authenticator))


def test_S51_a_signature_with_a_high_s_is_accepted(app: Flask, authenticator: Authenticator) -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def raise_s(signature: bytes) -> bytes:
        r, s = decode_dss_signature(signature)
        return encode_dss_signature(r, max(s, order - s))

    assert sign_in_by_passkey(app, authenticator, signature=raise_s).status_code == 200


def test_S55_malformed_credentials_are_rejected_without_a_server_error(
    app: Flask, authenticator: Authenticator
) -> None:
    valid = authenticator.get(request_sign_in(app))

    for credential in ([], None, "text", 7, True):
        assert send_credential(app, credential).status_code == 400
    for changed in ({}, {"id": "a"}, valid | {"response": []}, valid | {"type": 1}, valid | {"id": {}}):
        assert is_rejected(send_credential(app, changed))
    deep = '{"credential":' * 3000 + "1" + "}" * 3000
    response = app.test_client().post(LOGIN, data=deep, content_type="application/json")
    assert response.status_code == 400


def test_S58_options_are_the_same_for_every_account(app: Flask, authenticator: Authenticator) -> None:
    first, second = request_sign_in(app), request_sign_in(app)

    assert first | {"challenge": ""} == second | {"challenge": ""}
    assert first["allowCredentials"] == []
    assert first["userVerification"] == "required"
    named = app.test_client().post(OPTIONS, json={"email": make_account(app)})
    assert named.status_code == 400
    assert "email" in named.get_json()["errors"]


def test_S60_a_user_handle_is_random(app: Flask) -> None:
    for _ in range(2):
        add_passkey(app, make_user(app, email_verified=True))

    first, second = (row[0] for row in fetch_rows(app, "SELECT handle FROM second_factors"))
    assert len(first) == len(second) == 64
    assert first != second


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
