"""Adding, renaming and removing passkeys."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from fido2 import cbor
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import BE, BS, UP, UV, Authenticator, decode, make_key
from tests.support.factories import make_user
from tests.support.passkeys import ORIGIN, add_passkey, request_sign_in, send_credential, sign_in_by_passkey
from tests.support.race import run_simultaneously
from tests.support.sql import execute_sql, fetch_number, fetch_rows

PASSKEYS, OPTIONS = "/userapi/auth/factors/passkeys/", "/userapi/auth/factors/passkeys/options/"


@pytest.fixture
def owner(make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """A signed-in user with a confirmed email address."""
    return make_api_user(email_verified=True)


def request_options(user: ApiUser) -> dict[str, Any]:
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
    assert response.status_code == 400, response.text
    return bool(response.get_json()["code"] == "passkey_refused")


def test_a_passkey_is_added_and_signs_in(app: Flask, owner: ApiUser) -> None:
    authenticator = Authenticator(ORIGIN)
    credential = authenticator.create(request_options(owner))

    added = owner.post(PASSKEYS, json={"credential": credential, "name": " Laptop "})

    assert added.status_code == 201, added.text
    passkey = added.get_json()
    assert (passkey["name"], passkey["signs_in_alone"], passkey["is_synced"]) == ("Laptop", True, True)
    assert passkey["transports"] == ["hybrid", "internal"]
    assert passkey["credential_id"] == credential["id"]
    assert len(passkey["recovery_codes"]) == 10
    assert sign_in_by_passkey(app, authenticator).status_code == 200


def test_a_passkey_is_named_after_the_browser(app: Flask, owner: ApiUser) -> None:
    credential = Authenticator(ORIGIN).create(request_options(owner))

    added = owner.post(PASSKEYS, json={"credential": credential}, headers={"User-Agent": "Firefox/140.0 Windows"})

    assert added.get_json()["name"] == "Firefox on Windows"


def test_the_options_request_what_the_service_checks(app: Flask, owner: ApiUser) -> None:
    set_up_and_sign_in(app, owner)
    known = fetch_rows(app, "SELECT credential_id FROM passkeys")

    options = request_options(owner)

    assert options["rp"]["id"] == "accounts.example.com"
    assert [entry["alg"] for entry in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert options["attestation"] == "none"
    assert options["user"]["name"] == owner.email
    assert len(decode(options["user"]["id"])) == 64
    assert [decode(entry["id"]) for entry in options["excludeCredentials"]] == [row[0] for row in known]
    assert len(decode(options["challenge"])) == 56


def test_S06_the_first_factor_ends_other_sessions(app: Flask, owner: ApiUser) -> None:
    other = app.test_client().post("/api-token-auth/", json={"email": owner.email, "password": owner.password})
    headers = {"Authorization": f"Bearer {other.get_json()['access_token']}"}
    assert app.test_client().get("/userapi/auth/user/", headers=headers).status_code == 200

    set_up(owner)

    assert app.test_client().get("/userapi/auth/user/", headers=headers).status_code == 401
    assert owner.get("/userapi/auth/user/").status_code == 200


def test_S28_an_account_with_an_unconfirmed_address_adds_no_passkey(user: ApiUser) -> None:
    response = user.post(OPTIONS, json={})

    assert (response.status_code, response.get_json()["code"]) == (409, "email_unverified")


def test_S25_options_need_a_recent_proof(app: Flask, owner: ApiUser) -> None:
    execute_sql(app, "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00'")

    response = owner.post(OPTIONS, json={})

    assert (response.status_code, response.get_json()["code"]) == (403, "proof_needed")


def test_S38_a_challenge_adds_one_passkey(app: Flask, owner: ApiUser) -> None:
    options = request_options(owner)
    first, second = (Authenticator(ORIGIN).create(options) for _ in range(2))

    assert owner.post(PASSKEYS, json={"credential": first}).status_code == 201
    assert is_refused(owner.post(PASSKEYS, json={"credential": second}))
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 1


@pytest.mark.both
def test_S54_of_two_passkeys_for_one_challenge_at_the_same_time_one_is_added(app: Flask, owner: ApiUser) -> None:
    options = request_options(owner)
    credentials = [Authenticator(ORIGIN).create(options) for _ in range(8)]

    answers = run_simultaneously(
        [
            lambda sent=sent: (
                app.test_client()
                .post(  # type: ignore[misc]
                    PASSKEYS, json={"credential": sent}, headers=owner.headers
                )
                .status_code
            )
            for sent in credentials
        ]
    )

    assert sorted(answers) == [201] + [400] * 7
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 1


@pytest.mark.both
def test_S53_a_credential_id_belongs_to_one_account(app: Flask, make_api_user: Callable[..., ApiUser]) -> None:
    users = [make_api_user(email_verified=True) for _ in range(4)]
    sent = [
        (user, Authenticator(ORIGIN).create(request_options(user), credential_id=b"the same for all")) for user in users
    ]

    answers = run_simultaneously(
        [
            lambda user=user, credential=credential: app.test_client().post(  # type: ignore[misc]
                PASSKEYS, json={"credential": credential}, headers=user.headers
            )
            for user, credential in sent
        ]
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.get_json().get("code") for answer in answers} == {None, "passkey_known"}
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 1


def test_S39_a_challenge_of_another_session_or_purpose_is_refused(app: Flask, owner: ApiUser) -> None:
    again = app.test_client().post("/api-token-auth/", json={"email": owner.email, "password": owner.password})
    other_session = ApiUser(app.test_client(), owner.id, owner.email, owner.password, again.get_json())
    options = request_options(owner)
    of_sign_in = options | {"challenge": request_sign_in(app)["challenge"]}

    assert is_refused(other_session.post(PASSKEYS, json={"credential": Authenticator(ORIGIN).create(options)}))
    assert is_refused(owner.post(PASSKEYS, json={"credential": Authenticator(ORIGIN).create(of_sign_in)}))
    assert owner.post(PASSKEYS, json={"credential": Authenticator(ORIGIN).create(options)}).status_code == 201


def test_S39_a_challenge_of_a_registration_does_not_sign_in(app: Flask, owner: ApiUser) -> None:
    authenticator, _passkey_id = set_up_and_sign_in(app, owner)

    response = send_credential(app, authenticator.get(request_options(owner)))

    assert response.status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "http://evil.example"}, {"origin": "http://accounts.example.com:8080"}, {"rp_id": "evil.example"},
        {"type": "webauthn.get"}, {"client_data": {"crossOrigin": True}}, {"client_data": {"topOrigin": ORIGIN}},
        {"flags": UV}, {"flags": UP | BS}, {"challenge": "AAAA"},
    ],
)  # fmt: skip
def test_S42_to_S49_a_registration_that_fails_a_check_is_refused(owner: ApiUser, changes: dict[str, Any]) -> None:
    assert is_refused(set_up(owner, **changes))
    assert set_up(owner).status_code == 201


@pytest.mark.parametrize("flags", [UP, UP | UV, UP | UV | BE, UP | UV | BE | BS])
def test_S45_a_passkey_without_verification_is_added_and_does_not_sign_in_alone(owner: ApiUser, flags: int) -> None:
    added = set_up(owner, flags=flags)

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
def test_S52_keys_that_were_not_requested_or_are_not_valid_are_refused(owner: ApiUser, cose: Any) -> None:
    assert is_refused(set_up(owner, cose=cose if isinstance(cose, bytes) else cbor.encode(cose)))


def test_S52_an_RSA_key_of_1024_bits_is_refused(owner: ApiUser) -> None:
    assert is_refused(set_up(owner, algorithm=-257, private=make_key(-257, 1024)))
    assert set_up(owner, algorithm=-257).status_code == 201


@pytest.mark.parametrize(("length", "status"), [(0, 400), (1, 201), (1023, 201), (1024, 400)])
def test_S56_credential_ids_have_at_most_1023_bytes(owner: ApiUser, length: int, status: int) -> None:
    assert set_up(owner, credential_id=b"x" * length).status_code == status


@pytest.mark.parametrize(
    "attestation",
    [
        ("packed", {"alg": -7, "sig": b"\x00", "x5c": [b"no certificate"]}), ("tpm", {"ver": "2.0"}),
        ("apple", {"x5c": [b"\x30\x82"]}), ("unknown", {}), ("packed", [1, 2]),
    ],
)  # fmt: skip
def test_S57_attestation_statements_are_not_read(owner: ApiUser, attestation: Any) -> None:
    assert set_up(owner, attestation=attestation).status_code == 201


def test_S55_malformed_registrations_are_refused_without_a_server_error(owner: ApiUser) -> None:
    valid = Authenticator(ORIGIN).create(request_options(owner))

    for credential in ([], None, "text", 7):
        response = owner.post(PASSKEYS, json={"credential": credential})
        assert (response.status_code, response.get_json()["code"]) == (400, "validation_failed")
    for changed in ({}, valid | {"response": {}}, valid | {"rawId": "AAAA"}, valid | {"id": "A" * 1_000_000}):
        assert is_refused(owner.post(PASSKEYS, json={"credential": changed}))


def test_S60_another_user_sees_nothing_of_a_passkey(app: Flask, owner: ApiUser, staff: ApiUser) -> None:
    set_up(owner)
    handle, credential_id = fetch_rows(
        app, "SELECT second_factors.handle, credential_id FROM second_factors JOIN passkeys USING (user_id)"
    )[0]

    seen = "".join(staff.get(path).text for path in (owner.url, "/userapi/users/"))

    for secret in (handle, credential_id):
        assert secret.hex() not in seen
    assert str(owner.id).encode() != handle


def test_S30_passkeys_of_other_users_are_not_found(
    app: Flask, owner: ApiUser, make_api_user: Callable[..., ApiUser]
) -> None:
    passkey_id = set_up(owner).get_json()["id"]
    other = make_api_user(email_verified=True)

    for path in (f"{PASSKEYS}{passkey_id}/", f"{PASSKEYS}{uuid.uuid4()}/"):
        assert other.patch(path, json={"name": "Mine"}).status_code == 404
        assert other.delete(path).status_code == 404
    assert fetch_rows(app, "SELECT name FROM passkeys") != [("Mine",)]


def test_a_passkey_is_renamed_and_removed(app: Flask, owner: ApiUser) -> None:
    authenticator, passkey_id = set_up_and_sign_in(app, owner)
    path = f"{PASSKEYS}{passkey_id}/"

    renamed = owner.patch(path, json={"name": "Blue key"})
    removed = owner.delete(path)

    assert (renamed.status_code, renamed.get_json()["name"]) == (200, "Blue key")
    assert removed.status_code == 204
    assert sign_in_by_passkey(app, authenticator).status_code == 401
    actions = [row[0] for row in fetch_rows(app, "SELECT action FROM audit_events ORDER BY id")]
    for action in ("factor.added", "second_step.on", "factor.renamed", "factor.removed", "second_step.off"):
        assert action in actions
    kinds = [row[0] for row in fetch_rows(app, "SELECT kind FROM messages ORDER BY id")]
    assert {"factor_added", "factor_removed"} <= set(kinds)


def test_S32_the_last_passkey_of_an_account_without_password_stays(app: Flask, owner: ApiUser) -> None:
    _authenticator, first = set_up_and_sign_in(app, owner)
    second = set_up(owner).get_json()["id"]
    execute_sql(app, "UPDATE users SET password_hash = NULL WHERE id = :id", id=owner.id)

    assert owner.delete(f"{PASSKEYS}{first}/").status_code == 204
    last = owner.delete(f"{PASSKEYS}{second}/")

    assert (last.status_code, last.get_json()["code"]) == (409, "last_way_in")
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 1


def test_an_account_has_at_most_20_passkeys(app: Flask, owner: ApiUser) -> None:
    set_up_and_sign_in(app, owner)
    for _ in range(19):
        add_passkey(app, owner.id)

    response = owner.post(OPTIONS, json={})

    assert (response.status_code, response.get_json()["code"]) == (409, "too_many_factors")


def test_a_site_at_an_ip_address_or_without_passkeys_adds_none(
    make_app: Callable[..., Flask],
) -> None:
    for settings, code in (
        ({"SITE_URL": "http://127.0.0.1:8000"}, "passkeys_unavailable"),
        ({"SECOND_FACTORS": "totp"}, "factor_unavailable"),
    ):
        app = make_app(**settings)
        email = f"{code}@example.com"
        make_user(app, email=email, email_verified=True)
        tokens = (
            app.test_client()
            .post("/api-token-auth/", json={"email": email, "password": "velvet tram outside 7"})
            .get_json()
        )
        response = app.test_client().post(
            OPTIONS, json={}, headers={"Authorization": f"Bearer {tokens['access_token']}"}
        )
        assert (response.status_code, response.get_json()["code"]) == (409, code)


def test_the_list_of_factors_has_what_browsers_need_to_hide_removed_passkeys(app: Flask, owner: ApiUser) -> None:
    before = owner.get("/userapi/auth/factors/").get_json()
    passkey = set_up(owner).get_json()
    listed = owner.get("/userapi/auth/factors/").get_json()

    del passkey["recovery_codes"]
    assert (before["passkeys"], before["user_handle"]) == ([], None)
    assert listed["passkeys"] == [passkey]
    assert decode(listed["user_handle"]) == fetch_rows(app, "SELECT handle FROM second_factors")[0][0]
    assert listed["second_step"] is True
