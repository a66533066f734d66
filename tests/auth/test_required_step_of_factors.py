"""Accounts that have second factors and of which a second step is required: nothing replaces it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, make_user
from tests.support.passkeys import add_passkey
from tests.support.proofs import PROVE, shown_form, submit_shown_form
from tests.support.required_steps import refresh, require_from, requires_second_step, signed_in_again
from tests.support.second_factors import prove, set_up_app
from tests.support.sql import execute_sql, fetch_rows
from tests.support.staff_client import ACCEPT_HTML, StaffClient, staff_client
from tests.support.staff_imports import move_clock

pytestmark = pytest.mark.both

LOGIN, SECOND_STEP = "/userapi/auth/login/", "/userapi/auth/login/second-step/"
USERS = "/userapi/users/"


class Remembered:
    """A member of staff with an authenticator app and a remembered device."""

    def __init__(self, app: Flask, user: ApiUser) -> None:
        self.app, self.user = app, user
        self.phone, self.recovery_codes = set_up_app(app, user.id)
        first = self.sign_in().get_json()
        sent = {"mfa_token": first["mfa_token"], "code": self.phone.code(), "remember_device": True}
        done = app.test_client().post(SECOND_STEP, json=sent)
        assert done.status_code == 200, done.text
        self.device_token = done.get_json()["device_token"]

    def sign_in(self, **sent: Any) -> Any:
        credentials = {"email": self.user.email, "password": PASSWORD, **sent}
        return self.app.test_client().post(LOGIN, json=credentials)

    def session_of_device(self) -> ApiUser:
        """A session that began with the password on the remembered device."""
        signed_in = self.sign_in(device_token=self.device_token)
        assert signed_in.status_code == 200, signed_in.text
        return ApiUser(self.app.test_client(), self.user.id, self.user.email, PASSWORD, signed_in.get_json())

    def staff_site(self) -> StaffClient:
        """The staff site in a browser, signed in on the remembered device."""
        client = self.app.test_client()
        sent = {"email": self.user.email, "password": PASSWORD, "device_token": self.device_token, "cookies": True}
        assert client.post(LOGIN, json=sent).status_code == 200
        return StaffClient(self.app, client, self.user.id, self.user.email)


@pytest.fixture
def remembered(app: Flask, staff: ApiUser) -> Remembered:
    return Remembered(app, staff)


def test_S69_a_remembered_device_does_not_replace_a_required_second_step(app: Flask, remembered: Remembered) -> None:
    assert remembered.sign_in(device_token=remembered.device_token).status_code == 200

    require_from(app, "staff")

    needed = remembered.sign_in(device_token=remembered.device_token)
    assert (needed.status_code, needed.get_json()["code"]) == (401, "second_step_needed")
    in_one = remembered.sign_in(device_token=remembered.device_token, code=remembered.phone.code(1))
    assert in_one.status_code == 200
    headers = {"Authorization": f"Bearer {in_one.get_json()['access_token']}"}
    assert app.test_client().get(USERS, headers=headers).status_code == 200


@pytest.mark.parametrize("required_of", ["staff", "no one"])
@pytest.mark.parametrize("by", ["code", "passkey"])
def test_S69_no_device_is_remembered_where_it_would_not_be_accepted(
    app: Flask, staff: ApiUser, by: str, required_of: str
) -> None:
    phone, _codes = set_up_app(app, staff.id)
    key = add_passkey(app, staff.id)
    require_from(app, "superusers" if required_of == "no one" else required_of)
    client = app.test_client()
    token = client.post(LOGIN, json={"email": staff.email, "password": PASSWORD}).get_json()["mfa_token"]
    options = client.post(f"{SECOND_STEP}options/", json={"mfa_token": token}).get_json()["publicKey"]
    client.set_cookie("second_step", token)
    shown = client.get("/login/second-step/", headers=ACCEPT_HTML).text
    proof = {"code": phone.code()} if by == "code" else {"credential": key.get(options)}

    done = client.post(SECOND_STEP, json={"mfa_token": token, "remember_device": True, **proof})

    assert done.status_code == 200, done.text
    assert ("device_token" in done.get_json()) == ("Skip this step" in shown) == (required_of == "no one")


def test_S69_sessions_of_remembered_devices_have_no_permissions_where_a_second_step_is_required(
    app: Flask, remembered: Remembered
) -> None:
    of_device = remembered.session_of_device()
    assert of_device.get(USERS).status_code == 200

    require_from(app, "staff")

    assert requires_second_step(of_device.get(USERS))
    assert of_device.get("/userapi/auth/sessions/").status_code == 200
    by_password = of_device.post(PROVE, json={"password": PASSWORD})
    assert (by_password.status_code, by_password.get_json()["code"]) == (403, "proof_needed")
    proved = of_device.post(PROVE, json={"code": remembered.phone.code(1)})
    assert proved.status_code == 200, proved.text
    assert requires_second_step(of_device.get(USERS))  # a copy of the token gains nothing
    of_device.tokens = proved.get_json()
    assert of_device.get(USERS).status_code == 200


@pytest.mark.parametrize("required_of", ["none", "staff"])
def test_S69_the_staff_site_requests_the_second_step_of_remembered_devices(
    app: Flask, remembered: Remembered, required_of: str
) -> None:
    staff = remembered.staff_site()
    require_from(app, required_of)

    written = staff.post("/admin/users/columns/", columns="country")
    assert (written.status_code, "Confirm that it is you" in written.text) == (403, True)
    assert staff.get("/admin/nothing/").status_code == 404
    redirect = staff.get("/admin/users/?is_active=true")
    assert redirect.headers["Location"] == "/prove/?next=/admin/users/?is_active%3Dtrue"
    page = staff.get(redirect.headers["Location"])
    assert "Confirm that it is you" in page.text
    action, fields = shown_form(page)
    wrong = staff.client.post(action, data={**fields, "code": remembered.phone.wrong_code()}, headers=ACCEPT_HTML)
    assert wrong.status_code == 401
    proved = submit_shown_form(staff.client, page, code=remembered.phone.code(1))
    assert proved.headers["Location"] == "/admin/users/?is_active=true"
    assert staff.get(proved.headers["Location"]).status_code == 200


SENSITIVE_WRITES: dict[str, tuple[str, dict[str, Any] | None]] = {
    "delete": ("DELETE", None),
    "email": ("PATCH", {"email": "someone.else@example.com"}),
    "deactivate": ("PATCH", {"is_active": False}),
    "is_staff": ("PATCH", {"is_staff": True}),
    "is_superuser": ("PATCH", {"is_superuser": True}),
}


@pytest.mark.parametrize("name", SENSITIVE_WRITES)
def test_S69_sensitive_writes_of_staff_over_the_api_require_a_recent_proof_where_their_second_step_is_on(
    app: Flask, superuser: ApiUser, user: ApiUser, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    method, json = SENSITIVE_WRITES[name]
    owner = Remembered(app, superuser)
    caller = owner.session_of_device()

    def write() -> Any:
        return caller.open(user.url, method=method, json=json)

    of_device = write()
    assert (of_device.status_code, of_device.get_json()["code"], of_device.get_json()["ways"]) == (
        403, "proof_needed", ["totp", "recovery_code"],
    )  # fmt: skip
    assert caller.get(USERS).status_code == 200
    assert caller.patch(user.url, json={"first_name": "Wren", "is_active": True}).status_code == 200
    prove(caller, owner.phone.code(1))
    move_clock(monkeypatch, timedelta(minutes=16))
    assert write().get_json()["code"] == "proof_needed"
    prove(caller, owner.phone.code())
    assert write().status_code in (200, 204)


def test_S69_staff_without_a_second_step_delete_over_the_api_as_long_as_their_session_lasts(
    superuser: ApiUser, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_clock(monkeypatch, timedelta(minutes=14, seconds=59))
    refresh(superuser)
    move_clock(monkeypatch, timedelta(minutes=16))

    assert superuser.patch(user.url, json={"is_active": False}).status_code == 200
    assert superuser.delete(user.url).status_code == 204


def test_S73_a_second_step_that_its_owner_turned_off_is_requested_where_it_is_required(
    app: Flask, remembered: Remembered
) -> None:
    execute_sql(app, "UPDATE second_factors SET active_since = NULL")
    require_from(app, "everyone")
    signed_in = remembered.sign_in()
    limited = ApiUser(app.test_client(), remembered.user.id, remembered.user.email, PASSWORD, signed_in.get_json())

    assert requires_second_step(limited.get("/userapi/auth/sessions/"))
    by_password = limited.post(PROVE, json={"password": PASSWORD})
    assert (by_password.status_code, by_password.get_json()["code"]) == (403, "proof_needed")
    limited.tokens = limited.post(PROVE, json={"code": remembered.phone.code(1)}).get_json()
    assert limited.get("/userapi/auth/sessions/").status_code == 200
    assert limited.get(USERS).status_code == 200


def test_the_doctor_counts_who_signs_in_without_a_second_step(
    app: Flask, remembered: Remembered, make_api_user: Callable[..., ApiUser]
) -> None:
    make_api_user(is_staff=True)
    make_api_user()

    def report() -> str:
        return str(app.test_cli_runner().invoke(args=["doctor"]).stdout)

    assert "1 of 2 staff members sign in with a password alone" in report()
    assert "required of them" not in report()
    require_from(app, "staff")
    assert "1 of 2 users have not set up the second step that is required of them. " in report()
    require_from(app, "everyone", days=2)
    assert "2 of 3 users have not set up the second step that is required of them from " in report()
    execute_sql(app, "UPDATE users SET is_active = false WHERE id <> :id", id=remembered.user.id)
    assert "1 of 1 staff members sign in with a second step" in report()
    assert "required of them" not in report()


def test_superusers_see_that_staff_sign_in_with_a_password_alone(app: Flask, remembered: Remembered) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)

    assert "staff member without two-step sign-in" in superuser.get("/admin/").text
    other = staff_client(app, is_staff=True)
    assert "without two-step sign-in" not in other.get("/admin/").text


@pytest.mark.parametrize("stays_marked", [False, True])
def test_S72_a_token_issued_for_set_up_stays_one_and_the_session_decides_too(
    app: Flask, staff: ApiUser, stays_marked: bool
) -> None:
    require_from(app, "staff")
    limited = signed_in_again(app, staff)
    phone, _codes = set_up_app(app, staff.id)
    earlier = dict(limited.tokens)

    limited.tokens = limited.post(PROVE, json={"code": phone.code(1)}).get_json()
    execute_sql(app, "UPDATE login_sessions SET for_set_up = :marked", marked=stays_marked)

    assert requires_second_step(limited.get("/userapi/auth/sessions/")) == stays_marked
    limited.tokens = earlier
    assert requires_second_step(limited.get("/userapi/auth/sessions/"))
    sent = {"refresh_token": earlier["refresh_token"]}
    assert app.test_client().post("/api-token-refresh/", json=sent).get_json()["code"] == "token_reused"


def test_S73_a_restart_between_the_steps_evades_nothing(make_app: Callable[..., Flask]) -> None:
    before = make_app(SECOND_STEP_REQUIRED_FOR="staff")
    ids = [make_user(before, is_staff=True, is_superuser=True) for _number in range(2)]
    phone, _codes = set_up_app(before, ids[0])
    emails = [fetch_rows(before, f"SELECT email FROM users WHERE id = {user_id}")[0][0] for user_id in ids]

    def sign_in_at(app: Flask, email: str) -> dict[str, Any]:
        answer: dict[str, Any] = app.test_client().post(LOGIN, json={"email": email, "password": PASSWORD}).get_json()
        return answer

    with_factor, without_factor = (sign_in_at(before, email) for email in emails)

    after = make_app(SECOND_STEP_REQUIRED_FOR="staff")
    client = after.test_client()

    def can_list_users(tokens: dict[str, Any]) -> bool:
        headers = {"Authorization": f"Bearer {tokens.get('access_token', tokens.get('mfa_token'))}"}
        return bool(client.get(USERS, headers=headers).status_code == 200)

    assert not can_list_users(with_factor)
    assert not can_list_users(without_factor)
    done = client.post(SECOND_STEP, json={"mfa_token": with_factor["mfa_token"], "code": phone.code(1)}).get_json()
    assert can_list_users(done)
