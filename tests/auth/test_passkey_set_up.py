"""`/userapi/auth/factors/passkeys/`: adding, listing, renaming and removing passkeys."""

import uuid
from collections.abc import Callable

from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import Authenticator, decode, encode
from tests.support.factories import make_user
from tests.support.new_passkeys import OPTIONS, PASSKEYS, request_options, set_up, set_up_and_sign_in
from tests.support.passkeys import ORIGIN, add_passkey, sign_in_by_passkey
from tests.support.sql import execute_sql, fetch_number, fetch_rows


def test_a_passkey_is_added_and_signs_in(app: Flask, caller: ApiUser) -> None:
    authenticator = Authenticator(ORIGIN)
    credential = authenticator.create(request_options(caller))

    added = caller.post(PASSKEYS, json={"credential": credential, "name": " Laptop "})

    assert added.status_code == 201, added.text
    passkey = added.get_json()
    assert (passkey["name"], passkey["signs_in_alone"], passkey["is_synced"]) == ("Laptop", True, True)
    assert passkey["transports"] == ["hybrid", "internal"]
    assert passkey["credential_id"] == credential["id"]
    assert len(passkey["recovery_codes"]) == 10
    assert sign_in_by_passkey(app, authenticator).status_code == 200


def test_a_passkey_is_named_after_the_browser(app: Flask, caller: ApiUser) -> None:
    credential = Authenticator(ORIGIN).create(request_options(caller))

    added = caller.post(PASSKEYS, json={"credential": credential}, headers={"User-Agent": "Firefox/140.0 Windows"})

    assert added.get_json()["name"] == "Firefox on Windows"


def test_the_options_request_what_the_service_checks(app: Flask, caller: ApiUser) -> None:
    set_up_and_sign_in(app, caller)
    known = fetch_rows(app, "SELECT credential_id FROM passkeys")

    options = request_options(caller)

    assert options["rp"]["id"] == "accounts.example.com"
    assert [entry["alg"] for entry in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert options["attestation"] == "none"
    assert options["user"]["name"] == caller.email
    assert len(decode(options["user"]["id"])) == 64
    assert [decode(entry["id"]) for entry in options["excludeCredentials"]] == [row[0] for row in known]
    assert len(decode(options["challenge"])) == 56


def test_S06_the_first_factor_ends_other_sessions(app: Flask, caller: ApiUser) -> None:
    other = app.test_client().post("/api-token-auth/", json={"email": caller.email, "password": caller.password})
    headers = {"Authorization": f"Bearer {other.get_json()['access_token']}"}
    assert app.test_client().get("/userapi/auth/user/", headers=headers).status_code == 200

    set_up(caller)

    assert app.test_client().get("/userapi/auth/user/", headers=headers).status_code == 401
    assert caller.get("/userapi/auth/user/").status_code == 200


def test_S28_an_account_with_an_unconfirmed_address_adds_no_passkey(user: ApiUser) -> None:
    response = user.post(OPTIONS, json={})

    assert (response.status_code, response.get_json()["code"]) == (409, "email_unverified")


def test_S25_options_need_a_recent_proof(app: Flask, caller: ApiUser) -> None:
    execute_sql(app, "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00'")

    response = caller.post(OPTIONS, json={})

    assert (response.status_code, response.get_json()["code"]) == (403, "proof_needed")


def test_S60_another_user_sees_nothing_of_a_passkey(app: Flask, caller: ApiUser, staff: ApiUser) -> None:
    set_up(caller)
    handle, credential_id = fetch_rows(
        app, "SELECT second_factors.handle, credential_id FROM second_factors JOIN passkeys USING (user_id)"
    )[0]

    seen = "".join(staff.get(path).text for path in (caller.url, "/userapi/users/"))

    for secret in (handle, credential_id):
        assert secret.hex() not in seen.lower()
        assert encode(secret) not in seen


def test_S30_passkeys_of_other_users_are_not_found(
    app: Flask, caller: ApiUser, make_api_user: Callable[..., ApiUser]
) -> None:
    passkey_id = set_up(caller).get_json()["id"]
    other = make_api_user(email_verified=True)

    for path in (f"{PASSKEYS}{passkey_id}/", f"{PASSKEYS}{uuid.uuid4()}/"):
        assert other.patch(path, json={"name": "Mine"}).status_code == 404
        assert other.delete(path).status_code == 404
    assert fetch_rows(app, "SELECT name FROM passkeys") != [("Mine",)]


def test_a_passkey_is_renamed_and_removed(app: Flask, caller: ApiUser) -> None:
    authenticator, passkey_id = set_up_and_sign_in(app, caller)
    path = f"{PASSKEYS}{passkey_id}/"

    renamed = caller.patch(path, json={"name": "Blue key"})
    removed = caller.delete(path)

    assert (renamed.status_code, renamed.get_json()["name"]) == (200, "Blue key")
    assert removed.status_code == 204
    assert sign_in_by_passkey(app, authenticator).status_code == 401
    actions = [row[0] for row in fetch_rows(app, "SELECT action FROM audit_events ORDER BY id")]
    for action in ("factor.added", "second_step.on", "factor.renamed", "factor.removed", "second_step.off"):
        assert action in actions
    kinds = [row[0] for row in fetch_rows(app, "SELECT kind FROM messages ORDER BY id")]
    assert {"factor_added", "factor_removed"} <= set(kinds)


def test_S32_the_last_passkey_of_an_account_without_password_stays(app: Flask, caller: ApiUser) -> None:
    _authenticator, first = set_up_and_sign_in(app, caller)
    second = set_up(caller).get_json()["id"]
    execute_sql(app, "UPDATE users SET password_hash = NULL WHERE id = :id", id=caller.id)

    assert caller.delete(f"{PASSKEYS}{first}/").status_code == 204
    last = caller.delete(f"{PASSKEYS}{second}/")

    assert (last.status_code, last.get_json()["code"]) == (409, "last_way_in")
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 1


def test_an_account_has_at_most_20_passkeys(app: Flask, caller: ApiUser) -> None:
    set_up_and_sign_in(app, caller)
    for _ in range(19):
        add_passkey(app, caller.id)

    response = caller.post(OPTIONS, json={})

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


def test_the_list_of_factors_has_what_browsers_need_to_hide_removed_passkeys(app: Flask, caller: ApiUser) -> None:
    before = caller.get("/userapi/auth/factors/").get_json()
    passkey = set_up(caller).get_json()
    listed = caller.get("/userapi/auth/factors/").get_json()

    del passkey["recovery_codes"]
    assert (before["passkeys"], before["user_handle"]) == ([], None)
    assert listed["passkeys"] == [passkey]
    assert decode(listed["user_handle"]) == fetch_rows(app, "SELECT handle FROM second_factors")[0][0]
    assert listed["second_step"] is True
