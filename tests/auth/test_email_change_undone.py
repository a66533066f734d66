"""A change of email needs the current password, and the old email can undo it for a week."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, can_sign_in, sign_in
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.form_browser import FormBrowser
from tests.support.passkeys import add_passkey, sign_in_by_passkey
from tests.support.race import run_simultaneously
from tests.support.second_factors import add_app, confirm_app, forget_used_steps
from tests.support.sql import fetch_number, fetch_rows
from userapi.core.db import db

ME = "/userapi/auth/user/"
CHANGE = "/userapi/auth/email/change/"
VERIFY = "/userapi/auth/email/verify/"
UNDO = "/userapi/auth/email/undo/"
THIEF = "thief@example.org"
NEW_PASSWORD = "brittle harbour lantern 42"


@pytest.fixture
def user(make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """A user with a confirmed email; only then does its change send a link to undo it."""
    return make_api_user(email_verified=True)


def body(**changes: Any) -> dict[str, Any]:
    return {"email": THIEF, **changes}


def move(app: Flask, user: ApiUser, email: str = THIEF) -> str:
    """Change a user's email with the password and the new mailbox, and return the token that undoes it."""
    before = user.get(ME).get_json()["email"]
    requested = user.post(CHANGE, json={"email": email, "password": user.password})
    assert requested.status_code == 202, requested.text
    assert verify(app, email).status_code == 200
    return emails_to(app, before, "email_changed")[-1].token


def verify(app: Flask, email: str) -> TestResponse:
    token = emails_to(app, email, "confirm_new_email")[-1].token
    return app.test_client().post(VERIFY, json={"token": token})


def undo(app: Flask, token: str) -> TestResponse:
    return app.test_client().post(UNDO, json={"token": token})


def stored(app: Flask, user: ApiUser) -> Any:
    with app.app_context():
        found = sa.text("SELECT email, email_verified_at, password_hash, pending_email FROM users WHERE id = :id")
        return db.session.execute(found, {"id": user.id}).one()


def set_new_password(app: Flask, email: str) -> None:
    sent_email = emails_to(app, email, "reset_password")[-1]
    change = {
        "uid": sent_email.uid,
        "token": sent_email.token,
        "new_password1": NEW_PASSWORD,
        "new_password2": NEW_PASSWORD,
    }
    assert app.test_client().post("/userapi/auth/password/reset/confirm/", json=change).status_code == 200


@pytest.mark.parametrize("by", ["id", "me"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("password", [None, "", "not my password at all"])
def test_a_new_email_needs_the_current_password(
    app: Flask, user: ApiUser, by: str, method: str, password: str | None
) -> None:
    """Requirement A04."""
    path = user.url if by == "id" else ME
    whole = {**user.get(ME).get_json(), **body()} if method == "PUT" else body()
    proof = {} if password is None else {"current_password": password}

    rejected = user.open(path, method=method, json=whole | proof)
    accepted = user.open(path, method=method, json=whole | {"current_password": PASSWORD})

    assert rejected.status_code == 400
    assert list(rejected.get_json()["errors"]) == ["current_password"]
    assert accepted.status_code == 200
    assert accepted.get_json()["pending_email"] == THIEF
    assert accepted.get_json()["email"] == user.email


def test_a_wrong_current_password_is_recorded_in_the_audit_log(app: Flask, user: ApiUser) -> None:
    user.patch(ME, json=body(current_password="not my password at all"))

    with app.app_context():
        actions = db.session.scalars(sa.text("SELECT action FROM audit_events ORDER BY id")).all()
    assert actions[-1] == "user.password_check_failed"
    assert stored(app, user).pending_email is None


def test_guesses_at_the_current_password_are_throttled(make_app: Callable[..., Flask]) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_PASSWORD_CHECK="2 per hour")
    wanted = new_user()
    make_user(app, **wanted)
    bearer = {"Authorization": f"Bearer {sign_in(app, wanted['email'])['access_token']}"}
    guess = body(current_password="not my password at all")

    responses = [app.test_client().patch(ME, json=guess, headers=bearer).status_code for _ in range(3)]

    assert responses == [400, 400, 429]


def test_the_current_password_is_needed_where_no_email_is_confirmed(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_VERIFICATION="none")
    wanted = new_user()
    make_user(app, **wanted, email_verified=True)
    bearer = {"Authorization": f"Bearer {sign_in(app, wanted['email'])['access_token']}"}

    alone = app.test_client().patch(ME, json=body(), headers=bearer)
    proven = app.test_client().patch(ME, json=body(current_password=PASSWORD), headers=bearer)

    assert (alone.status_code, list(alone.get_json()["errors"])) == (400, ["current_password"])
    assert (proven.status_code, proven.get_json()["email"]) == (200, THIEF)
    undone = undo(app, emails_to(app, wanted["email"], "email_changed")[0].token)
    assert undone.status_code == 200
    assert not can_sign_in(app, wanted["email"])
    set_new_password(app, wanted["email"])
    assert can_sign_in(app, wanted["email"], NEW_PASSWORD)


def test_other_fields_need_no_password(user: ApiUser) -> None:
    assert user.patch(ME, json={"first_name": "Robin"}).status_code == 200
    assert user.put(ME, json=user.get(ME).get_json()).status_code == 200


def test_the_old_email_undoes_the_change(app: Flask, user: ApiUser) -> None:
    token = move(app, user)
    thief = app.test_client().post("/api-token-auth/", json={"email": THIEF, "password": PASSWORD}).get_json()

    response = undo(app, token)

    assert response.status_code == 200
    assert stored(app, user).email == user.email
    assert stored(app, user).email_verified_at is not None
    assert user.get(ME).status_code == 401
    stolen = {"Authorization": f"Bearer {thief['access_token']}"}
    assert app.test_client().get(ME, headers=stolen).status_code == 401
    assert not can_sign_in(app, user.email)
    assert not can_sign_in(app, THIEF)
    set_new_password(app, user.email)
    assert can_sign_in(app, user.email, NEW_PASSWORD)
    assert [sent_email.kind for sent_email in emails_to(app, THIEF)] == ["confirm_new_email", "email_changed"]


def test_an_undone_change_is_recorded_in_the_audit_log(app: Flask, user: ApiUser) -> None:
    undo(app, move(app, user))

    with app.app_context():
        found = sa.text("SELECT action, target_id, changes FROM audit_events WHERE action = 'email.change_undone'")
        (event,) = db.session.execute(found).all()
    assert event.target_id == str(user.id)
    assert THIEF in str(event.changes)
    assert user.email in str(event.changes)


def test_a_link_that_undoes_a_change_works_once_and_for_a_week(app: Flask, user: ApiUser) -> None:
    token = move(app, user)
    assert undo(app, token).status_code == 200
    assert undo(app, token).get_json()["code"] == "invalid_link"

    set_new_password(app, user.email)
    user.password, user.tokens = NEW_PASSWORD, sign_in(app, user.email, NEW_PASSWORD)
    token = move(app, user, "second@example.org")
    with app.app_context(), db.engine.begin() as connection:
        (expires, created) = connection.execute(
            sa.text("SELECT expires_at, created_at FROM one_time_tokens WHERE purpose = 'undo_email_change'").columns(
                expires_at=sa.DateTime, created_at=sa.DateTime
            )
        ).one()
        connection.execute(sa.text("UPDATE one_time_tokens SET expires_at = created_at"))
    assert expires - created == timedelta(days=7)
    assert undo(app, token).get_json()["code"] == "invalid_link"


def test_a_thief_who_changes_the_email_twice_cannot_stop_the_first_undo(app: Flask, user: ApiUser) -> None:
    """Neither another change, nor a new password, nor undoing the second change invalidates the owner's link."""
    first = move(app, user)
    second = move(app, user, "accomplice@example.org")
    change = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert user.post("/userapi/auth/password/change/", json=change).status_code == 200
    assert undo(app, second).status_code == 200
    assert stored(app, user).email == THIEF

    assert undo(app, first).status_code == 200

    assert stored(app, user).email == user.email


def test_undoing_a_change_invalidates_the_links_of_later_ones(app: Flask, user: ApiUser) -> None:
    first = move(app, user)
    second = move(app, user, "accomplice@example.org")

    assert undo(app, first).status_code == 200

    assert undo(app, second).get_json()["code"] == "invalid_link"
    assert stored(app, user).email == user.email


def test_a_change_by_staff_sends_no_link_and_invalidates_earlier_ones(
    app: Flask, user: ApiUser, staff: ApiUser
) -> None:
    token = move(app, user)

    assert staff.patch(user.url, json={"email": "third@example.org"}).status_code == 200

    assert emails_to(app, THIEF, "email_changed")[-1].secret is None
    assert undo(app, token).get_json()["code"] == "invalid_link"


@pytest.mark.parametrize("verification", ["none", "optional"])
def test_an_old_email_that_was_never_confirmed_gets_a_notice_without_a_link(
    make_app: Callable[..., Flask], verification: str
) -> None:
    """It may be mistyped, and its reader must not get the account after the owner has corrected it."""
    app = make_app(EMAIL_VERIFICATION=verification)
    wanted = new_user()
    assert app.test_client().post("/userapi/users/", json=wanted).status_code == 201
    bearer = {"Authorization": f"Bearer {sign_in(app, wanted['email'])['access_token']}"}

    app.test_client().patch(ME, json=body(current_password=PASSWORD), headers=bearer)
    if verification != "none":
        assert verify(app, THIEF).status_code == 200

    notice = emails_to(app, wanted["email"], "email_changed")[-1]
    assert notice.secret is None
    assert "/undo-email-change/" not in notice.text + notice.html
    assert app.test_client().post("/userapi/users/", json=new_user(email=wanted["email"])).status_code == 201


def test_an_old_email_is_kept_for_its_owner_while_the_change_can_be_undone(
    app: Flask, user: ApiUser, other_user: ApiUser
) -> None:
    token = move(app, user)

    registered = app.test_client().post("/userapi/users/", json=new_user(email=user.email.upper()))
    wanted = other_user.post(CHANGE, json={"email": user.email, "password": PASSWORD})

    assert [response.get_json()["code"] for response in (registered, wanted)] == ["email_taken"] * 2
    assert undo(app, token).status_code == 200


@pytest.mark.both
def test_only_one_of_many_parallel_undos_succeeds(app: Flask, user: ApiUser) -> None:
    token = move(app, user)

    responses = run_simultaneously([lambda: undo(app, token)] * 6)

    assert sorted(response.status_code for response in responses) == [200] + [400] * 5
    assert len(emails_to(app, user.email, "reset_password")) == 1


@pytest.mark.both
def test_undo_wins_over_a_second_change_confirmed_at_the_same_time(app: Flask, user: ApiUser) -> None:
    token = move(app, user)
    user.post(CHANGE, json={"email": "accomplice@example.org", "password": PASSWORD})

    undone, _confirmed = run_simultaneously([lambda: undo(app, token), lambda: verify(app, "accomplice@example.org")])

    assert undone.status_code == 200
    assert stored(app, user)[0] == user.email
    assert stored(app, user).pending_email is None


@pytest.mark.both
def test_undo_wins_over_a_new_password_and_a_patch_at_the_same_time(app: Flask, user: ApiUser) -> None:
    token = move(app, user)
    change = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

    responses = run_simultaneously(
        [
            lambda: undo(app, token),
            lambda: user.post("/userapi/auth/password/change/", json=change),
            lambda: user.patch(ME, json={"email": "accomplice@example.org", "current_password": PASSWORD}),
        ]
    )

    assert responses[0].status_code == 200
    assert stored(app, user)[0] == user.email
    assert stored(app, user).password_hash is None
    assert not can_sign_in(app, user.email, NEW_PASSWORD)


@pytest.mark.both
def test_undo_and_a_registration_with_the_old_email_at_the_same_time_leave_one_owner(app: Flask, user: ApiUser) -> None:
    user.post(CHANGE, json={"email": THIEF, "password": PASSWORD})

    confirmed, registered = run_simultaneously(
        [
            lambda: verify(app, THIEF),
            lambda: app.test_client().post("/userapi/users/", json=new_user(email=user.email)),
        ]
    )

    assert (confirmed.status_code, registered.status_code) == (200, 400)
    assert undo(app, emails_to(app, user.email, "email_changed")[0].token).status_code == 200


def test_the_page_undoes_the_change_when_the_button_is_pressed(app: Flask, user: ApiUser) -> None:
    token = move(app, user)
    browser, link = FormBrowser(app), f"/undo-email-change/{token}/"

    looked = [browser.get(link), browser.get(link)][-1]
    before = stored(app, user).email
    done = browser.follow(browser.send(link))

    assert user.email in looked.text
    assert token not in looked.text
    assert looked.headers["Referrer-Policy"] == "no-referrer"
    assert before == THIEF
    assert "Check your email" in done.text
    assert stored(app, user).email == user.email
    again = browser.get(link)
    assert again.status_code == 400
    assert "This link is no longer valid" in again.text


def undo_on_page(app: Flask, token: str) -> TestResponse:
    return FormBrowser(app).send(f"/undo-email-change/{token}/")


@pytest.mark.parametrize("act", [undo, undo_on_page])
def test_S77_undoing_a_change_removes_the_factors_that_a_thief_has_added(
    app: Flask, user: ApiUser, act: Callable[[Flask, str], TestResponse]
) -> None:
    token = move(app, user)
    phone = add_app(user, "Other phone")
    codes = confirm_app(user, phone).get_json()["recovery_codes"]
    passkey = add_passkey(app, user.id)
    forget_used_steps(app)
    credentials = {"email": THIEF, "password": PASSWORD}
    login, second_step = "/userapi/auth/login/", "/userapi/auth/login/second-step/"
    waiting = [app.test_client().post(login, json=credentials).get_json()["mfa_token"] for _ in range(2)]
    proof = {"mfa_token": waiting[0], "code": phone.code(), "remember_device": True}
    device_token = app.test_client().post(second_step, json=proof).get_json()["device_token"]
    kinds_before = [email.kind for email in all_emails(app)]

    assert act(app, token).status_code < 400

    assert sign_in_by_passkey(app, passkey).status_code == 401
    late = app.test_client().post(second_step, json={"mfa_token": waiting[1], "code": codes[0]})
    assert late.get_json()["code"] == "mfa_token_invalid"
    for table in (
        "second_factors", "totp_devices", "passkeys", "recovery_codes", "remembered_devices", "pending_sign_ins",
    ):  # fmt: skip
        assert fetch_number(app, f"SELECT count(*) FROM {table}") == 0, table
    assert [email.kind for email in all_emails(app)][len(kinds_before) :] == ["email_changed", "reset_password"]
    removed = fetch_rows(app, "SELECT changes FROM audit_events WHERE action = 'factor.removed' ORDER BY id")
    assert len(removed) == 2
    assert all(name in str(event) for name, event in zip(("Other phone", "Laptop"), removed, strict=True))
    set_new_password(app, user.email)
    again = {"email": user.email, "password": NEW_PASSWORD, "device_token": device_token}
    assert app.test_client().post(login, json=again).status_code == 200


def test_the_email_says_how_long_the_link_works(app: Flask, user: ApiUser) -> None:
    move(app, user)

    (sent_email,) = emails_to(app, user.email, "email_changed")

    assert "in 7 days" in sent_email.text
    assert sent_email.link == f"http://accounts.example.com/undo-email-change/{sent_email.secret}/"
    assert sent_email.link in sent_email.html
    assert [found.kind for found in all_emails(app)] == ["confirm_new_email", "email_changed"]
