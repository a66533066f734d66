"""Changing the email address: who may request it, when it takes effect, and who is notified."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, can_sign_in, sign_in
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.form_browser import FormBrowser
from userapi.core.db import db

CHANGE = "/userapi/auth/email/change/"
VERIFY = "/userapi/auth/email/verify/"
RESET = "/userapi/auth/password/reset/"
ME = "/userapi/auth/user/"
NEW = "new.address@example.org"


def request_change(user: ApiUser, email: str = NEW, password: str = PASSWORD) -> TestResponse:
    return user.post(CHANGE, json={"email": email, "password": password})


def patch(user: ApiUser, email: str = NEW) -> TestResponse:
    return user.patch(ME, json={"email": email, "current_password": PASSWORD})


def confirm(app: Flask, token: str) -> TestResponse:
    return app.test_client().post(VERIFY, json={"token": token})


def token_to(app: Flask, email: str = NEW) -> str:
    return emails_to(app, email, "confirm_new_email")[-1].token


def addresses(user: ApiUser) -> dict[str, Any]:
    me = user.get(ME).get_json()
    return {name: me[name] for name in ("email", "pending_email", "email_verified")}


def test_the_link_in_the_email_confirms_the_new_address(app: Flask, user: ApiUser) -> None:
    requested = request_change(user)

    response = confirm(app, token_to(app))

    assert (requested.status_code, response.status_code) == (202, 200)
    assert addresses(user) == {"email": NEW, "pending_email": None, "email_verified": True}


@pytest.mark.parametrize("request_by", [request_change, patch])
def test_F17_the_old_email_address_stays_valid_until_the_new_one_is_confirmed(
    app: Flask, user: ApiUser, request_by: Callable[[ApiUser], TestResponse]
) -> None:
    assert request_by(user).status_code in (200, 202)

    assert addresses(user) == {"email": user.email, "pending_email": NEW, "email_verified": False}
    assert (can_sign_in(app, user.email), can_sign_in(app, NEW)) == (True, False)
    app.test_client().post(RESET, json={"email": NEW})
    assert [sent_email.kind for sent_email in emails_to(app, NEW)] == ["confirm_new_email"]

    assert confirm(app, token_to(app)).status_code == 200

    assert (can_sign_in(app, user.email), can_sign_in(app, NEW)) == (False, True)
    app.test_client().post(RESET, json={"email": user.email})
    app.test_client().post(RESET, json={"email": NEW})
    assert emails_to(app, user.email, "reset_password") == []
    assert len(emails_to(app, NEW, "reset_password")) == 1


def test_F17_requesting_a_change_needs_the_password(app: Flask, user: ApiUser) -> None:
    rejected = request_change(user, password="not my password at all")

    assert rejected.status_code == 400
    assert list(rejected.get_json()["errors"]) == ["password"]
    assert addresses(user)["pending_email"] is None
    assert all_emails(app) == []
    assert request_change(user).status_code == 202


def test_F17_requesting_a_change_needs_authentication(app: Flask, user: ApiUser) -> None:
    response = app.test_client().post(CHANGE, json={"email": NEW, "password": PASSWORD})

    assert response.status_code == 401


@pytest.mark.parametrize("request_by", [request_change, patch])
def test_F16_F17_the_old_email_address_is_notified_of_the_change(
    app: Flask, make_api_user: Callable[..., ApiUser], request_by: Callable[[ApiUser], TestResponse]
) -> None:
    user = make_api_user(email_verified=True)
    request_by(user)
    assert emails_to(app, user.email) == []

    confirm(app, token_to(app))

    (sent_email,) = emails_to(app, user.email)
    assert sent_email.kind == "email_changed"
    assert "/undo-email-change/" in sent_email.link
    assert NEW not in sent_email.text + sent_email.html


def test_a_patched_email_address_takes_effect_immediately_without_confirmation(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_VERIFICATION="none")
    wanted = new_user()
    make_user(app, **wanted)
    bearer = {"Authorization": f"Bearer {sign_in(app, wanted['email'])['access_token']}"}

    response = app.test_client().patch(ME, json={"email": NEW, "current_password": PASSWORD}, headers=bearer)

    assert (response.status_code, response.get_json()["email"]) == (200, NEW)
    assert [(sent_email.kind, sent_email.recipient) for sent_email in all_emails(app)] == [
        ("email_changed", wanted["email"])
    ]
    assert can_sign_in(app, NEW)


def test_sending_the_current_email_address_back_keeps_the_pending_one(app: Flask, user: ApiUser) -> None:
    request_change(user)
    seen = user.get(ME).get_json()

    response = user.put(ME, json=seen)

    assert response.get_json() == seen
    assert len(emails_to(app, NEW)) == 1
    assert confirm(app, token_to(app)).status_code == 200


def test_requesting_the_current_email_address_cancels_the_pending_change(app: Flask, user: ApiUser) -> None:
    request_change(user)
    request_change(user, user.email)

    response = confirm(app, token_to(app))

    assert response.get_json()["code"] == "invalid_link"
    assert addresses(user)["pending_email"] is None
    assert addresses(user)["email"] == user.email


@pytest.mark.parametrize("spell", [str, str.upper])
def test_requesting_the_current_email_reports_that_no_link_was_sent(
    app: Flask, user: ApiUser, spell: Callable[[str], str]
) -> None:
    requested = request_change(user, spell(user.email))
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    typed = {"email": spell(user.email), "password": PASSWORD}
    saved = browser.send("/account/email/", typed, form_on="/account/")

    assert requested.status_code == 202
    text = "This is already your email address, so no link was sent. No email change is pending."
    assert requested.get_json() == {"detail": text}
    assert text in browser.follow(saved).text
    assert emails_to(app, user.email, "confirm_new_email") == []


def test_F07_only_the_last_requested_email_address_can_be_confirmed(app: Flask, user: ApiUser) -> None:
    request_change(user, "first@example.org")
    request_change(user, "second@example.org")

    first = confirm(app, token_to(app, "first@example.org"))
    second = confirm(app, token_to(app, "second@example.org"))

    assert (first.status_code, first.get_json()["code"]) == (400, "invalid_link")
    assert second.status_code == 200
    assert addresses(user)["email"] == "second@example.org"


def test_F05_a_link_works_once(app: Flask, user: ApiUser) -> None:
    request_change(user, "first@example.org")
    request_change(user, "first@example.org")
    earlier, later = (sent_email.token for sent_email in emails_to(app, "first@example.org"))
    assert confirm(app, later).status_code == 200

    for token in (later, earlier):
        assert confirm(app, token).get_json()["code"] == "invalid_link"


def change_password(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    new = "brittle harbour lantern 42"
    change = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert user.post("/userapi/auth/password/change/", json=change).status_code == 200


def reset_password(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    app.test_client().post(RESET, json={"email": user.email})
    sent_email = emails_to(app, user.email, "reset_password")[0]
    new = "brittle harbour lantern 42"
    body = {"uid": sent_email.uid, "token": sent_email.token, "new_password1": new, "new_password2": new}
    assert app.test_client().post(f"{RESET}confirm/", json=body).status_code == 200


def change_email_as_staff(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    assert staff.patch(user.url, json={"email": "third@example.org"}).status_code == 200


def deactivate_and_activate(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    for is_active in (False, True):
        assert staff.patch(user.url, json={"is_active": is_active}).status_code == 200


@pytest.mark.parametrize("event", [change_password, reset_password, change_email_as_staff, deactivate_and_activate])
def test_F07_other_changes_to_the_account_cancel_a_pending_change(
    app: Flask, user: ApiUser, staff: ApiUser, event: Callable[[Flask, ApiUser, ApiUser], None]
) -> None:
    request_change(user)
    event(app, user, staff)

    response = confirm(app, token_to(app))

    assert response.get_json()["code"] == "invalid_link"
    seen = staff.get(user.url).get_json()
    assert (seen["email"] == NEW, seen["pending_email"]) == (False, None)


def test_F07_a_changed_password_alone_invalidates_the_link(app: Flask, user: ApiUser) -> None:
    """The pending email is put back, so that only the changed password can invalidate the link."""
    request_change(user)
    with app.app_context():
        before = db.session.scalar(sa.text("SELECT password_hash FROM users WHERE id = :id"), {"id": user.id})
    for hash_, works in (("$argon2id$another", False), (before, True)):
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE users SET password_hash = :hash, pending_email = :new WHERE id = :id"),
                {"hash": hash_, "new": NEW, "id": user.id},
            )

        response = confirm(app, token_to(app))

        assert (response.status_code == 200) is works


def test_staff_change_another_users_email_immediately(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    response = staff.patch(user.url, json={"email": NEW})

    assert (response.get_json()["email"], response.get_json()["pending_email"]) == (NEW, None)
    assert [sent_email.kind for sent_email in emails_to(app, user.email)] == ["email_changed"]
    assert [sent_email.kind for sent_email in emails_to(app, NEW)] == ["verify_email"]
    assert can_sign_in(app, NEW)


def test_F17_staff_must_confirm_their_own_new_email_address(app: Flask, superuser: ApiUser) -> None:
    alone = superuser.patch(superuser.url, json={"email": NEW})
    response = superuser.patch(superuser.url, json={"email": NEW, "current_password": PASSWORD})

    assert (alone.status_code, list(alone.get_json()["errors"])) == (400, ["current_password"])
    assert (response.get_json()["email"], response.get_json()["pending_email"]) == (superuser.email, NEW)
    assert confirm(app, token_to(app)).status_code == 200
    assert addresses(superuser)["email"] == NEW


@pytest.mark.parametrize("request_by", [request_change, patch])
def test_G04_rejects_an_email_address_in_use_whatever_its_case(
    app: Flask, user: ApiUser, other_user: ApiUser, request_by: Callable[..., TestResponse]
) -> None:
    response = request_by(user, other_user.email.upper())

    assert (response.status_code, response.get_json()["code"]) == (400, "email_taken")
    assert addresses(user)["pending_email"] is None
    assert all_emails(app) == []


def test_an_email_registered_before_confirmation_is_rejected_and_the_old_one_stays(app: Flask, user: ApiUser) -> None:
    request_change(user)
    make_user(app, email=NEW.upper())

    response = confirm(app, token_to(app))

    assert (response.status_code, response.get_json()["code"]) == (400, "email_taken")
    assert can_sign_in(app, user.email)
    assert emails_to(app, user.email) == []


@pytest.mark.parametrize("payload", [f"{NEW},eve@example.net", f"{NEW}\r\nBcc: eve@example.net", [NEW], f"<{NEW}>", ""])
def test_F04_no_payload_adds_a_recipient(app: Flask, user: ApiUser, payload: Any) -> None:
    response = request_change(user, payload)

    assert response.status_code == 400
    assert all_emails(app) == []


def test_F04_the_email_goes_only_to_the_new_address_as_typed(app: Flask, user: ApiUser) -> None:
    request_change(user, "  New.Address@Example.org ")

    assert [sent_email.recipient for sent_email in all_emails(app)] == ["New.Address@Example.org"]
    assert all_emails(app)[0].link == f"http://accounts.example.com/verify-email/{all_emails(app)[0].secret}/"


def test_sessions_stay_active_after_the_email_changes(app: Flask, user: ApiUser) -> None:
    request_change(user)
    confirm(app, token_to(app))

    assert user.get(ME).status_code == 200
