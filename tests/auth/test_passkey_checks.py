"""What a sign-in checks of a passkey: site, origin, ceremony, flags, user handle, counter and signature."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.authenticator import BE, BS, UP, UV, Authenticator, make_key
from tests.support.factories import make_user
from tests.support.passkeys import (
    LOGIN,
    OPTIONS,
    ORIGIN,
    add_passkey,
    is_rejected,
    request_sign_in,
    send_credential,
    sign_in_by_passkey,
)
from tests.support.sql import execute_sql, fetch_number, fetch_rows

SECURITY_KEY = UP | UV


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
