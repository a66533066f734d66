"""What the service checks of a passkey that is added: challenge, site, flags, key and credential id."""

from typing import Any

import pytest
from fido2 import cbor
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import BE, BS, UP, UV, Authenticator, make_key
from tests.support.new_passkeys import PASSKEYS, is_refused, request_options, set_up, set_up_and_sign_in
from tests.support.passkeys import ORIGIN, request_sign_in, send_credential
from tests.support.sql import fetch_number


def test_S38_a_challenge_adds_one_passkey(app: Flask, caller: ApiUser) -> None:
    options = request_options(caller)
    first, second = (Authenticator(ORIGIN).create(options) for _ in range(2))

    assert caller.post(PASSKEYS, json={"credential": first}).status_code == 201
    assert is_refused(caller.post(PASSKEYS, json={"credential": second}))
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 1


def test_S39_a_challenge_of_another_session_or_purpose_is_refused(app: Flask, caller: ApiUser) -> None:
    again = app.test_client().post("/api-token-auth/", json={"email": caller.email, "password": caller.password})
    other_session = ApiUser(app.test_client(), caller.id, caller.email, caller.password, again.get_json())
    options = request_options(caller)
    of_sign_in = options | {"challenge": request_sign_in(app)["challenge"]}

    assert is_refused(other_session.post(PASSKEYS, json={"credential": Authenticator(ORIGIN).create(options)}))
    assert is_refused(caller.post(PASSKEYS, json={"credential": Authenticator(ORIGIN).create(of_sign_in)}))
    assert caller.post(PASSKEYS, json={"credential": Authenticator(ORIGIN).create(options)}).status_code == 201


def test_S39_a_challenge_of_a_registration_does_not_sign_in(app: Flask, caller: ApiUser) -> None:
    authenticator, _passkey_id = set_up_and_sign_in(app, caller)

    response = send_credential(app, authenticator.get(request_options(caller)))

    assert response.status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "http://evil.example"}, {"origin": "http://accounts.example.com:8080"}, {"rp_id": "evil.example"},
        {"type": "webauthn.get"}, {"client_data": {"crossOrigin": True}}, {"client_data": {"topOrigin": ORIGIN}},
        {"flags": UV}, {"flags": UP | BS}, {"challenge": "AAAA"},
    ],
)  # fmt: skip
def test_S42_to_S49_a_registration_that_fails_a_check_is_refused(caller: ApiUser, changes: dict[str, Any]) -> None:
    assert is_refused(set_up(caller, **changes))
    assert set_up(caller).status_code == 201


@pytest.mark.parametrize("flags", [UP, UP | UV, UP | UV | BE, UP | UV | BE | BS])
def test_S45_a_passkey_without_verification_is_added_and_does_not_sign_in_alone(caller: ApiUser, flags: int) -> None:
    added = set_up(caller, flags=flags)

    assert added.status_code == 201
    assert added.get_json()["signs_in_alone"] == bool(flags & UV)
    assert added.get_json()["is_synced"] == bool(flags & BS)


ES256_KEY = {1: 2, 3: -7, -1: 1, -2: b"\x01" * 32, -3: b"\x01" * 32}


@pytest.mark.parametrize(
    "cose",
    [
        ES256_KEY,  # not on the curve
        ES256_KEY | {3: -47}, ES256_KEY | {3: -65535}, ES256_KEY | {3: -35}, ES256_KEY | {3: -257},
        ES256_KEY | {3: True},
        ES256_KEY | {-2: b"\x01" * 31}, ES256_KEY | {-2: [1] * 32}, ES256_KEY | {-1: 8}, ES256_KEY | {1: 1},
        {1: 3, 3: -257, -1: b"\xff" * 128, -2: b"\x01\x00\x01"},  # 1024 bits
        {1: 3, 3: -257, -1: b"\xff" * 2048, -2: b"\x01\x00\x01"},  # 16,384 bits
        {1: 3, 3: -257, -1: b"\xff" * 256, -2: b"\xff" * 200},  # an exponent that is slow to verify
        {1: 1, 3: -8, -1: 6, -2: b"\x01" * 31}, {1: 1, 3: -8, -1: 7, -2: b"\x01" * 32}, {}, [], b"\xf6",
    ],
)  # fmt: skip
def test_S52_keys_that_were_not_requested_or_are_not_valid_are_refused(caller: ApiUser, cose: Any) -> None:
    assert is_refused(set_up(caller, cose=cose if isinstance(cose, bytes) else cbor.encode(cose)))


def test_S52_an_RSA_key_of_1024_bits_is_refused(caller: ApiUser) -> None:
    assert is_refused(set_up(caller, algorithm=-257, private=make_key(-257, 1024)))
    assert set_up(caller, algorithm=-257).status_code == 201


@pytest.mark.parametrize(("length", "status"), [(0, 400), (1, 201), (1023, 201), (1024, 400)])
def test_S56_credential_ids_have_at_most_1023_bytes(caller: ApiUser, length: int, status: int) -> None:
    assert set_up(caller, credential_id=b"x" * length).status_code == status


@pytest.mark.parametrize(
    "attestation",
    [
        ("packed", {"alg": -7, "sig": b"\x00", "x5c": [b"no certificate"]}), ("tpm", {"ver": "2.0"}),
        ("apple", {"x5c": [b"\x30\x82"]}), ("unknown", {}), ("packed", [1, 2]),
    ],
)  # fmt: skip
def test_S57_attestation_statements_are_not_read(caller: ApiUser, attestation: Any) -> None:
    assert set_up(caller, attestation=attestation).status_code == 201


def test_S55_malformed_registrations_are_refused_without_a_server_error(caller: ApiUser) -> None:
    valid = Authenticator(ORIGIN).create(request_options(caller))

    for credential in ([], None, "text", 7):
        response = caller.post(PASSKEYS, json={"credential": credential})
        assert (response.status_code, response.get_json()["code"]) == (400, "validation_failed")
    for changed in ({}, valid | {"response": {}}, valid | {"rawId": "AAAA"}, valid | {"id": "A" * 1_000_000}):
        assert is_refused(caller.post(PASSKEYS, json={"credential": changed}))
