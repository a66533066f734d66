"""`/userapi/auth/factors/`: setting up, listing, renaming and removing second factors."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import emails_to
from tests.support.passkeys import add_passkey
from tests.support.race import run_simultaneously
from tests.support.second_factors import (
    FACTORS,
    App,
    add_app,
    confirm_app,
    forget_used_steps,
    prove,
    set_up_app,
    verify_email,
)
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.core import clock
from userapi.core.db import db
from userapi.mfa import remembered_devices

OWN = "/userapi/auth/user/"


@pytest.fixture
def user(app: Flask, user: ApiUser) -> ApiUser:
    """A user with a confirmed email address."""
    verify_email(app, user.id)
    return user


@pytest.fixture
def phone(app: Flask, user: ApiUser) -> App:
    """The first factor of the user, whose session is proved by it; its codes are unused."""
    added = add_app(user)
    assert confirm_app(user, added).status_code == 201
    forget_used_steps(app)
    prove(user, added.code())
    forget_used_steps(app)
    return added


def overview(user: ApiUser) -> dict[str, Any]:
    response = user.get(FACTORS)
    assert response.status_code == 200
    found: dict[str, Any] = response.get_json()
    return found


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.get_json()["code"]


def test_an_account_has_no_factors_at_first(user: ApiUser) -> None:
    found = overview(user)

    assert (found["second_step"], found["totp"], found["recovery_codes"], found["devices"]) == (False, [], None, 0)


def test_an_app_is_set_up_with_a_secret_a_uri_and_a_qr_code(user: ApiUser) -> None:
    response = user.post(f"{FACTORS}totp/", json={})

    added = response.get_json()
    uri = urlsplit(added["uri"])
    assert response.status_code == 201
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query) == {"secret": [added["secret"]], "issuer": ["accounts.example.com"]}
    assert len(added["secret"]) == 32
    assert added["qr"].startswith("data:image/svg+xml;")
    assert response.headers["Cache-Control"] == "no-store"


def test_S26_an_app_that_is_not_confirmed_does_not_count(app: Flask, user: ApiUser) -> None:
    add_app(user)

    found = overview(user)

    assert (found["second_step"], found["totp"]) == (False, [])
    assert sign_in(app, user.email)["access_token"]


def test_the_first_factor_turns_the_second_step_on_and_makes_ten_codes(user: ApiUser) -> None:
    response = confirm_app(user, add_app(user))

    confirmed, found = response.get_json(), overview(user)
    assert response.status_code == 201
    assert (confirmed["name"], len(set(confirmed["recovery_codes"]))) == ("Phone", 10)
    assert found["second_step"] is True
    assert [app["name"] for app in found["totp"]] == ["Phone"]
    assert found["recovery_codes"]["left"] == 10
    assert found["recovery_codes"]["made_at"].endswith("Z")


def test_S06_the_first_factor_ends_every_other_session(app: Flask, user: ApiUser) -> None:
    other = {"Authorization": f"Bearer {sign_in(app, user.email)['access_token']}"}
    assert app.test_client().get(OWN, headers=other).status_code == 200

    confirm_app(user, add_app(user))

    assert user.get(OWN).status_code == 200
    assert app.test_client().get(OWN, headers=other).status_code == 401


@pytest.mark.both
def test_S06_a_sign_in_at_the_moment_of_the_first_factor_begins_no_session_without_the_step(
    app: Flask, user: ApiUser
) -> None:
    added = add_app(user)
    body = {"email": user.email, "password": user.password}
    calls: list[Callable[[], Any]] = [lambda: confirm_app(user, added)]
    calls += [lambda: app.test_client().post("/api-token-auth/", json=body) for _ in range(12)]

    confirmed, *signed_in = run_simultaneously(calls)

    assert confirmed.status_code == 201
    for response in signed_in:
        assert response.status_code in (200, 401)
        if response.status_code == 200:
            bearer = {"Authorization": f"Bearer {response.get_json()['access_token']}"}
            assert app.test_client().get(OWN, headers=bearer).status_code == 401


def test_S07_the_code_that_confirms_an_app_is_used_up(app: Flask, user: ApiUser) -> None:
    added = add_app(user)
    code = added.code()
    assert confirm_app(user, added, code).status_code == 201

    again = user.post("/userapi/auth/prove/", json={"code": code})

    assert code_of(again) == (401, "invalid_code")


def test_S16_codes_for_setting_up_and_proofs_count_as_one(app: Flask, user: ApiUser, phone: App) -> None:
    second = add_app(user, "Tablet")
    for _ in range(3):
        assert code_of(confirm_app(user, second, second.wrong_code())) == (400, "invalid_code")
    for _ in range(2):
        assert code_of(user.post("/userapi/auth/prove/", json={"code": phone.wrong_code()})) == (401, "invalid_code")

    limited = [confirm_app(user, second), user.post("/userapi/auth/prove/", json={"code": phone.code()})]

    assert [code_of(response) for response in limited] == [(429, "rate_limited")] * 2
    assert fetch_number(app, "SELECT failures FROM second_factors") == 5


def test_S14_codes_work_again_after_a_password_reset(app: Flask, user: ApiUser, phone: App) -> None:
    execute_sql(app, "UPDATE second_factors SET failures = 100")
    prove_again = {"json": {"code": phone.code()}}
    assert code_of(user.post("/userapi/auth/prove/", **prove_again)) == (403, "second_step_locked")
    client = app.test_client()
    client.post("/userapi/auth/password/reset/", json={"email": user.email})
    (email,) = emails_to(app, user.email, "reset_password")
    new = "harbour lantern 42 quiet"
    body = {"uid": email.uid, "token": email.token, "new_password1": new, "new_password2": new}
    assert client.post("/userapi/auth/password/reset/confirm/", json=body).status_code == 200

    signed_in = client.post("/api-token-auth/", json={"email": user.email, "password": new, "code": phone.code()})

    assert signed_in.status_code == 200


def test_S25_setting_up_needs_a_recent_proof(user: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.now() + timedelta(seconds=899)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert user.post(f"{FACTORS}totp/", json={}).status_code == 201

    stale = later + timedelta(seconds=2)
    monkeypatch.setattr(clock, "now", lambda: stale)
    assert code_of(user.post(f"{FACTORS}totp/", json={})) == (403, "proof_needed")


@pytest.mark.parametrize("case", ["wrong", "expired", "another's", "another session"])
def test_S27_an_app_is_confirmed_by_its_code_in_time_and_in_its_session(
    app: Flask, user: ApiUser, other_user: ApiUser, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    added, code = add_app(user), ""
    if case == "wrong":
        code, expected = added.wrong_code(), (400, "invalid_code")
    else:
        expected = (404, "not_found")
    if case == "expired":
        later = clock.now() + timedelta(minutes=10, seconds=1)
        monkeypatch.setattr(clock, "now", lambda: later)
    caller = other_user if case == "another's" else user
    if case == "another session":
        caller = ApiUser(app.test_client(), user.id, user.email, user.password, sign_in(app, user.email))

    response = confirm_app(caller, added, code)

    assert code_of(response) == expected
    assert fetch_number(app, "SELECT count(*) FROM totp_devices WHERE confirmed_at IS NOT NULL") == 0
    if case == "wrong":
        assert list(response.get_json()["errors"]) == ["code"]
        assert confirm_app(user, added).status_code == 201


@pytest.mark.both
def test_S27_of_simultaneous_confirmations_one_succeeds_and_makes_codes(app: Flask, user: ApiUser) -> None:
    added = add_app(user)

    responses = run_simultaneously([lambda: confirm_app(user, added) for _ in range(8)])

    assert [response.status_code for response in responses].count(201) == 1
    assert {response.status_code for response in responses} <= {201, 400, 404, 429}
    assert fetch_number(app, "SELECT count(*) FROM recovery_codes") == 10


def test_S28_an_account_with_an_unconfirmed_email_cannot_set_up_a_factor(other_user: ApiUser) -> None:
    response = other_user.post(f"{FACTORS}totp/", json={})

    assert code_of(response) == (409, "email_unverified")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "totp/{id}/", None),
        ("PATCH", "", {"second_step": False}),
        ("POST", "recovery-codes/", None),
        ("POST", "totp/", {}),
    ],
)
def test_S29_a_session_without_the_second_step_cannot_change_factors(
    app: Flask, user: ApiUser, method: str, path: str, body: Any
) -> None:
    added = add_app(user)
    confirm_app(user, added)
    url = FACTORS + path.format(id=added.id)

    rejected = user.open(url, method=method, json=body)
    by_password = user.post("/userapi/auth/prove/", json={"password": user.password})

    assert code_of(rejected) == (403, "proof_needed")
    assert rejected.get_json()["acr"] == "aal2"
    assert code_of(by_password) == (403, "proof_needed")
    forget_used_steps(app)
    prove(user, added.code())
    assert user.open(url, method=method, json=body).status_code in (200, 201, 204)


def request_email_change(app: Flask, user: ApiUser) -> str:
    """Request a change of email with the password; the token that confirms it."""
    wanted = "thief@example.org"
    response = user.post("/userapi/auth/email/change/", json={"email": wanted, "password": user.password})
    assert response.status_code == 202, response.text
    return emails_to(app, wanted, "confirm_new_email")[-1].token


def is_email_change_cancelled(app: Flask, user: ApiUser, token: str) -> bool:
    """Whether no link can confirm the change any more, also if the same email is requested again."""
    confirmed = app.test_client().post("/userapi/auth/email/verify/", json={"token": token})
    own = user.get(OWN).get_json()
    links = fetch_number(app, "SELECT count(*) FROM one_time_tokens WHERE purpose = 'change_email'")
    return (confirmed.status_code, own["email"], own["pending_email"], links) == (400, user.email, None, 0)


@pytest.mark.parametrize("kind", ["totp", "passkey"])
def test_S29_the_first_factor_cancels_a_change_of_email_requested_without_it(
    app: Flask, user: ApiUser, kind: str
) -> None:
    token = request_email_change(app, user)

    if kind == "totp":
        assert confirm_app(user, add_app(user)).status_code == 201
    else:
        add_passkey(app, user.id)

    assert is_email_change_cancelled(app, user, token)


def test_S29_turning_the_second_step_on_cancels_a_change_of_email_requested_without_it(
    app: Flask, user: ApiUser, phone: App
) -> None:
    user.patch(FACTORS, json={"second_step": False})
    token = request_email_change(app, user)

    assert user.patch(FACTORS, json={"second_step": True}).status_code == 200

    assert is_email_change_cancelled(app, user, token)


def test_a_further_factor_leaves_a_change_of_email_waiting(app: Flask, user: ApiUser, phone: App) -> None:
    token = request_email_change(app, user)

    assert confirm_app(user, add_app(user, "Tablet")).status_code == 201

    assert not is_email_change_cancelled(app, user, token)


def test_S30_the_factors_and_devices_of_others_do_not_exist(
    app: Flask, user: ApiUser, other_user: ApiUser, phone: App
) -> None:
    with app.app_context():
        remembered_devices.remember(user.id, 1, None, None)
        db.session.commit()
    (device,) = user.get("/userapi/auth/devices/").get_json()["results"]
    before = overview(user)

    found = [
        [
            other_user.patch(f"{FACTORS}totp/{app_id}/", json={"name": "Mine"}),
            other_user.delete(f"{FACTORS}totp/{app_id}/"),
            other_user.delete(f"/userapi/auth/devices/{device_id}/"),
        ]
        for app_id, device_id in ((phone.id, device["id"]), (uuid.uuid4(), uuid.uuid4()))
    ]

    assert [[response.status_code for response in responses] for responses in found] == [[404] * 3] * 2
    details = [[response.get_json()["detail"] for response in responses] for responses in found]
    assert details[0] == details[1]
    assert overview(user) == before
    assert user.patch(f"{FACTORS}totp/{phone.id}/", json={"name": "Old phone"}).get_json()["name"] == "Old phone"


def test_a_removed_app_ends_other_sessions_and_the_last_one_turns_the_second_step_off(
    app: Flask, user: ApiUser, phone: App
) -> None:
    body = {"email": user.email, "password": user.password, "code": phone.code()}
    other = app.test_client().post("/api-token-auth/", json=body).get_json()["access_token"]
    bearer = {"Authorization": f"Bearer {other}"}
    assert app.test_client().get(OWN, headers=bearer).status_code == 200

    assert user.delete(f"{FACTORS}totp/{phone.id}/").status_code == 204

    found = overview(user)
    assert (found["second_step"], found["totp"], found["recovery_codes"]) == (False, [], None)
    assert app.test_client().get(OWN, headers=bearer).status_code == 401
    assert sign_in(app, user.email)["access_token"]


def test_other_sessions_continue_if_the_caller_wants_that(app: Flask, user: ApiUser, phone: App) -> None:
    body = {"email": user.email, "password": user.password, "code": phone.code()}
    other = app.test_client().post("/api-token-auth/", json=body).get_json()["access_token"]

    assert user.delete(f"{FACTORS}totp/{phone.id}/?keep_sessions=true").status_code == 204

    assert app.test_client().get(OWN, headers={"Authorization": f"Bearer {other}"}).status_code == 200


def test_the_second_step_can_be_turned_off_and_on_while_there_is_a_factor(
    app: Flask, user: ApiUser, other_user: ApiUser, phone: App
) -> None:
    assert code_of(other_user.patch(FACTORS, json={"second_step": True})) == (409, "no_factor")

    off = user.patch(FACTORS, json={"second_step": False}).get_json()

    assert (off["second_step"], len(off["totp"]), off["recovery_codes"]["left"]) == (False, 1, 10)
    assert sign_in(app, user.email)["access_token"]
    on = user.patch(FACTORS, json={"second_step": True}).get_json()
    assert on["second_step"] is True
    assert len(emails_to(app, user.email, "second_step_off")) == 1


def test_new_recovery_codes_replace_the_earlier_ones(user: ApiUser, other_user: ApiUser, phone: App) -> None:
    response = user.post(f"{FACTORS}recovery-codes/")

    assert response.status_code == 201
    assert len(set(response.get_json()["codes"])) == 10
    assert code_of(other_user.post(f"{FACTORS}recovery-codes/")) == (409, "no_factor")


def test_an_account_has_at_most_five_apps(app: Flask, user: ApiUser, phone: App) -> None:
    for _ in range(4):
        assert confirm_app(user, add_app(user)).status_code == 201

    assert code_of(user.post(f"{FACTORS}totp/", json={})) == (409, "too_many_factors")


def test_a_kind_of_factor_can_be_left_out(app: Flask, user: ApiUser) -> None:
    app.config["SECOND_FACTORS"] = ["passkey"]

    assert code_of(user.post(f"{FACTORS}totp/", json={})) == (409, "factor_unavailable")


def test_S69_devices_are_listed_and_forgotten(app: Flask, user: ApiUser, phone: App) -> None:
    version = fetch_number(app, "SELECT session_version FROM users ORDER BY id LIMIT 1")
    with app.app_context():
        for number in range(3):
            remembered_devices.remember(user.id, version, f"203.0.113.{number}", "Browser/1.0")
        db.session.commit()
    devices = user.get("/userapi/auth/devices/").get_json()["results"]
    assert {device["address"] for device in devices} == {"203.0.113.0", "203.0.113.1", "203.0.113.2"}
    assert overview(user)["devices"] == 3

    assert user.delete(f"/userapi/auth/devices/{devices[0]['id']}/").status_code == 204
    assert len(user.get("/userapi/auth/devices/").get_json()["results"]) == 2
    assert user.delete("/userapi/auth/devices/").status_code == 204
    assert user.get("/userapi/auth/devices/").get_json()["results"] == []


def test_S78_each_change_is_reported_by_an_email_without_secrets(app: Flask, user: ApiUser, phone: App) -> None:
    codes = user.post(f"{FACTORS}recovery-codes/").get_json()["codes"]
    user.patch(FACTORS, json={"second_step": False})
    user.delete(f"{FACTORS}totp/{phone.id}/")

    kinds = ("factor_added", "recovery_codes_made", "second_step_off", "factor_removed")
    sent = [emails_to(app, user.email, kind) for kind in kinds]

    assert [len(emails) for emails in sent] == [1, 1, 1, 1]
    assert "Its name is: Phone." in " ".join(sent[0][0].text.split())
    for (email,) in sent:
        assert not any(secret in email.text + email.html for secret in (phone.secret, *codes))


def test_S79_each_change_is_an_event_without_secrets(app: Flask, user: ApiUser, phone: App) -> None:
    user.patch(f"{FACTORS}totp/{phone.id}/", json={"name": "Old phone"})
    codes = user.post(f"{FACTORS}recovery-codes/").get_json()["codes"]
    user.patch(FACTORS, json={"second_step": False})
    user.delete(f"{FACTORS}totp/{phone.id}/")

    rows = fetch_rows(app, "SELECT action, changes FROM audit_events WHERE target_kind = 'user' ORDER BY id")

    actions = [row.action for row in rows]
    for action in (
        "factor.added", "second_step.on", "recovery_codes.made", "factor.renamed", "second_step.off", "factor.removed",
    ):  # fmt: skip
        assert action in actions, action
    contents = str([row.changes for row in rows])
    assert not any(secret in contents for secret in (phone.secret, *codes))


def test_S79_an_event_is_not_written_when_its_action_fails(app: Flask, user: ApiUser) -> None:
    added = add_app(user)
    execute_sql(app, "ALTER TABLE recovery_codes RENAME TO no_codes")
    try:
        failed = confirm_app(user, added)
    finally:
        execute_sql(app, "ALTER TABLE no_codes RENAME TO recovery_codes")

    assert failed.status_code >= 500
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action LIKE 'factor.%'") == 0
    assert overview(user)["second_step"] is False


@pytest.mark.parametrize(
    "code", [123456, None, "", "12345", "1234567", "abcdef", "1" * 10_000, ["123456"], {"code": "1"}, "\x00" * 6]
)
def test_S83_other_values_than_a_code_are_rejected(user: ApiUser, code: Any) -> None:
    added = add_app(user)

    response = user.post(f"{FACTORS}totp/{added.id}/confirm/", json={"code": code})

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["code"]


@pytest.mark.parametrize("spell", [lambda code: f" {code[:3]} {code[3:]} ", lambda code: code.translate(ARABIC)])
def test_S83_a_code_may_have_spaces_and_digits_of_any_script(user: ApiUser, spell: Callable[[str], str]) -> None:
    added = add_app(user)

    assert confirm_app(user, added, spell(added.code())).status_code == 201


ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def test_S20_no_response_repeats_a_secret_or_a_code(app: Flask, user: ApiUser) -> None:
    added = add_app(user)
    codes = confirm_app(user, added).get_json()["recovery_codes"]
    forget_used_steps(app)
    prove(user, added.code())

    paths = (FACTORS, "/userapi/auth/devices/", OWN, "/userapi/auth/activity/", "/userapi/auth/data/")
    pages = ("/account/", "/account/security/", "/account/devices/", "/account/activity/")
    texts = [user.get(path).text for path in paths]
    texts += [user.get(path, headers={"Accept": "text/html"}).text for path in (*paths, *pages)]

    for text in texts:
        assert not any(secret in text for secret in (added.secret, *codes))


def test_S70_a_recovery_code_proves_but_a_device_is_then_forgotten(app: Flask, user: ApiUser) -> None:
    _phone, codes = set_up_app(app, user.id)
    version = fetch_number(app, "SELECT session_version FROM users ORDER BY id LIMIT 1")
    with app.app_context():
        token = remembered_devices.remember(user.id, version, None, None)
        db.session.commit()

    prove(user, codes[0])

    with app.app_context():
        assert not remembered_devices.recognize(token, user.id, version)
    assert overview(user)["recovery_codes"]["left"] == 9


@pytest.fixture
def everyone_needs_it(app: Flask) -> None:
    """Two-step sign-in is required of everyone."""
    app.config["SECOND_STEP_REQUIRED_FOR"] = "everyone"


@pytest.mark.usefixtures("everyone_needs_it")
def test_S72_confirming_the_first_factor_makes_a_session_for_set_up_a_full_one(app: Flask, user: ApiUser) -> None:
    user.tokens = sign_in(app, user.email)
    before = dict(user.tokens)
    assert code_of(user.get("/userapi/auth/sessions/")) == (403, "second_step_required")

    confirmed = confirm_app(user, add_app(user)).get_json()

    assert code_of(user.get("/userapi/auth/sessions/")) == (403, "second_step_required")
    user.tokens = confirmed
    assert user.get("/userapi/auth/sessions/").status_code == 200
    assert user.post(f"{FACTORS}recovery-codes/").status_code == 201
    refreshed = app.test_client().post("/api-token-refresh/", json={"refresh_token": before["refresh_token"]})
    assert refreshed.status_code == 401


def test_the_tokens_of_an_ordinary_session_stay_when_the_first_factor_is_added(app: Flask, user: ApiUser) -> None:
    assert "access_token" not in confirm_app(user, add_app(user)).get_json()

    body = {"refresh_token": user.tokens["refresh_token"]}
    assert app.test_client().post("/api-token-refresh/", json=body).status_code == 200


def test_S31_the_last_factor_stays_where_one_is_required(app: Flask, user: ApiUser, phone: App) -> None:
    second = add_app(user, "Tablet")
    assert confirm_app(user, second).status_code == 201
    app.config["SECOND_STEP_REQUIRED_FOR"] = "everyone"
    assert overview(user)["required"] is True

    off = user.patch(FACTORS, json={"second_step": False})
    removed = [user.delete(f"{FACTORS}totp/{app_id}/") for app_id in (phone.id, second.id)]

    assert code_of(off) == (409, "factor_required")
    assert removed[0].status_code == 204
    assert code_of(removed[1]) == (409, "factor_required")
    found = overview(user)
    assert (found["second_step"], [app["name"] for app in found["totp"]]) == (True, ["Tablet"])


@pytest.mark.both
def test_S31_of_simultaneous_removals_of_the_last_two_factors_one_succeeds(
    app: Flask, user: ApiUser, phone: App
) -> None:
    second = add_app(user, "Tablet")
    assert confirm_app(user, second).status_code == 201
    app.config["SECOND_STEP_REQUIRED_FOR"] = "everyone"
    paths = [f"{FACTORS}totp/{app_id}/?keep_sessions=true" for app_id in (phone.id, second.id)]

    responses = run_simultaneously([lambda path=path: user.delete(path) for path in paths])

    assert sorted(response.status_code for response in responses) == [204, 409]
    assert fetch_number(app, "SELECT count(*) FROM totp_devices") == 1
