"""`/userapi/auth/factors/`: listing, renaming and removing second factors, turning the second step on and off."""

import uuid
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import emails_to
from tests.support.passkeys import add_passkey
from tests.support.second_factors import FACTORS, App, add_app, code_of, confirm_app, forget_used_steps, overview, prove
from tests.support.sql import fetch_number
from userapi.core.db import db
from userapi.mfa import remembered_devices

OWN = "/userapi/auth/user/"


def test_an_account_has_no_factors_at_first(caller: ApiUser) -> None:
    found = overview(caller)

    assert (found["second_step"], found["totp"], found["recovery_codes"], found["devices"]) == (False, [], None, 0)


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
    app: Flask, caller: ApiUser, method: str, path: str, body: Any
) -> None:
    added = add_app(caller)
    confirm_app(caller, added)
    url = FACTORS + path.format(id=added.id)

    rejected = caller.open(url, method=method, json=body)
    by_password = caller.post("/userapi/auth/prove/", json={"password": caller.password})

    assert code_of(rejected) == (403, "proof_needed")
    assert rejected.get_json()["acr"] == "aal2"
    assert code_of(by_password) == (403, "proof_needed")
    forget_used_steps(app)
    prove(caller, added.code())
    assert caller.open(url, method=method, json=body).status_code in (200, 201, 204)


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
    app: Flask, caller: ApiUser, kind: str
) -> None:
    token = request_email_change(app, caller)

    if kind == "totp":
        assert confirm_app(caller, add_app(caller)).status_code == 201
    else:
        add_passkey(app, caller.id)

    assert is_email_change_cancelled(app, caller, token)


def test_S29_turning_the_second_step_on_cancels_a_change_of_email_requested_without_it(
    app: Flask, caller: ApiUser, phone: App
) -> None:
    caller.patch(FACTORS, json={"second_step": False})
    token = request_email_change(app, caller)

    assert caller.patch(FACTORS, json={"second_step": True}).status_code == 200

    assert is_email_change_cancelled(app, caller, token)


def test_a_further_factor_leaves_a_change_of_email_waiting(app: Flask, caller: ApiUser, phone: App) -> None:
    token = request_email_change(app, caller)

    assert confirm_app(caller, add_app(caller, "Tablet")).status_code == 201

    assert not is_email_change_cancelled(app, caller, token)


def test_S30_the_factors_and_devices_of_others_do_not_exist(
    app: Flask, caller: ApiUser, other_user: ApiUser, phone: App
) -> None:
    with app.app_context():
        remembered_devices.remember(caller.id, 1, None, None)
        db.session.commit()
    (device,) = caller.get("/userapi/auth/devices/").get_json()["results"]
    before = overview(caller)

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
    assert overview(caller) == before
    assert caller.patch(f"{FACTORS}totp/{phone.id}/", json={"name": "Old phone"}).get_json()["name"] == "Old phone"


def test_a_removed_app_ends_other_sessions_and_the_last_one_turns_the_second_step_off(
    app: Flask, caller: ApiUser, phone: App
) -> None:
    body = {"email": caller.email, "password": caller.password, "code": phone.code()}
    other = app.test_client().post("/api-token-auth/", json=body).get_json()["access_token"]
    bearer = {"Authorization": f"Bearer {other}"}
    assert app.test_client().get(OWN, headers=bearer).status_code == 200

    assert caller.delete(f"{FACTORS}totp/{phone.id}/").status_code == 204

    found = overview(caller)
    assert (found["second_step"], found["totp"], found["recovery_codes"]) == (False, [], None)
    assert app.test_client().get(OWN, headers=bearer).status_code == 401
    assert sign_in(app, caller.email)["access_token"]


def test_other_sessions_continue_if_the_caller_wants_that(app: Flask, caller: ApiUser, phone: App) -> None:
    body = {"email": caller.email, "password": caller.password, "code": phone.code()}
    other = app.test_client().post("/api-token-auth/", json=body).get_json()["access_token"]

    assert caller.delete(f"{FACTORS}totp/{phone.id}/?keep_sessions=true").status_code == 204

    assert app.test_client().get(OWN, headers={"Authorization": f"Bearer {other}"}).status_code == 200


def test_the_second_step_can_be_turned_off_and_on_while_there_is_a_factor(
    app: Flask, caller: ApiUser, other_user: ApiUser, phone: App
) -> None:
    assert code_of(other_user.patch(FACTORS, json={"second_step": True})) == (409, "no_factor")

    off = caller.patch(FACTORS, json={"second_step": False}).get_json()

    assert (off["second_step"], len(off["totp"]), off["recovery_codes"]["left"]) == (False, 1, 10)
    assert sign_in(app, caller.email)["access_token"]
    on = caller.patch(FACTORS, json={"second_step": True}).get_json()
    assert on["second_step"] is True
    assert len(emails_to(app, caller.email, "second_step_off")) == 1


def test_new_recovery_codes_replace_the_earlier_ones(caller: ApiUser, other_user: ApiUser, phone: App) -> None:
    response = caller.post(f"{FACTORS}recovery-codes/")

    assert response.status_code == 201
    assert len(set(response.get_json()["codes"])) == 10
    assert code_of(other_user.post(f"{FACTORS}recovery-codes/")) == (409, "no_factor")


def test_S31_the_last_factor_stays_where_one_is_required(app: Flask, caller: ApiUser, phone: App) -> None:
    second = add_app(caller, "Tablet")
    assert confirm_app(caller, second).status_code == 201
    app.config["SECOND_STEP_REQUIRED_FOR"] = "everyone"
    assert overview(caller)["required"] is True

    off = caller.patch(FACTORS, json={"second_step": False})
    removed = [caller.delete(f"{FACTORS}totp/{app_id}/") for app_id in (phone.id, second.id)]

    assert code_of(off) == (409, "factor_required")
    assert removed[0].status_code == 204
    assert code_of(removed[1]) == (409, "factor_required")
    found = overview(caller)
    assert (found["second_step"], [app["name"] for app in found["totp"]]) == (True, ["Tablet"])
