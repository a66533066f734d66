"""Proofs of identity by a code, where the second step is on."""

from datetime import timedelta

import pytest

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD
from tests.support.forged_tokens import read_claims
from tests.support.staff_imports import move_clock
from tests.support.two_steps import Owner


def test_S36_a_password_is_no_proof_where_the_second_step_is_on(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = owner.sign_in(owner.recovery_codes[0])
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, tokens)
    assert user.get("/userapi/auth/data/").status_code == 200
    move_clock(monkeypatch, timedelta(minutes=16))

    by_password = user.post("/userapi/auth/prove/", json={"password": PASSWORD})
    by_wrong_code = user.post("/userapi/auth/prove/", json={"code": owner.phone.wrong_code()})
    by_both = user.post("/userapi/auth/prove/", json={"password": PASSWORD, "code": owner.phone.code()})
    by_code = user.post("/userapi/auth/prove/", json={"code": owner.phone.code()})

    assert (by_password.status_code, by_password.get_json()["code"]) == (403, "proof_needed")
    assert by_password.get_json()["ways"] == ["totp", "recovery_code"]
    assert (by_wrong_code.status_code, by_wrong_code.get_json()["code"]) == (401, "invalid_code")
    assert by_both.status_code == 400
    assert (by_code.get_json()["acr"], read_claims(by_code.get_json()["access_token"])["amr"]) == (
        "aal2", ["pwd", "otp", "mfa"],
    )  # fmt: skip
    user.tokens = by_code.get_json()
    assert user.get("/userapi/auth/data/").status_code == 200


def test_S07_a_code_is_used_up_by_a_sign_in_and_by_a_proof(owner: Owner) -> None:
    code = owner.phone.code()
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, owner.sign_in(code))

    assert user.post("/userapi/auth/prove/", json={"code": code}).get_json()["code"] == "invalid_code"
    proved = user.post("/userapi/auth/prove/", json={"code": owner.phone.code(1)})
    assert proved.status_code == 200
    assert owner.second_step(owner.mfa_token(), owner.phone.code(1)).get_json()["code"] == "invalid_code"


def test_S34_a_stolen_token_of_a_remembered_device_gains_nothing_by_the_owners_proof(owner: Owner) -> None:
    device_token = owner.second_step(owner.mfa_token(), owner.phone.code(), remember_device=True).get_json()[
        "device_token"
    ]
    tokens = owner.first_step(device_token=device_token).get_json()
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, tokens)

    proved = user.post("/userapi/auth/prove/", json={"code": owner.phone.code(1)}).get_json()

    assert proved["acr"] == "aal2"
    assert user.get("/userapi/auth/data/").get_json()["code"] == "proof_needed"


@pytest.mark.parametrize("path", ["/userapi/auth/user/", "/userapi/auth/email/change/"])
def test_S29_a_password_changes_no_email_where_the_second_step_is_on(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, owner.sign_in())
    move_clock(monkeypatch, timedelta(minutes=16))
    change = {"email": "new.address@example.org"}

    if path.endswith("user/"):
        response = user.patch(path, json={**change, "current_password": PASSWORD})
    else:
        response = user.post(path, json={**change, "password": PASSWORD})

    assert (response.status_code, response.get_json()["code"]) == (403, "proof_needed")
    assert user.get("/userapi/auth/user/").get_json()["pending_email"] is None
