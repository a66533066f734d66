"""Another address: who may ask for it, when it counts, and who is told."""

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


def ask(user: ApiUser, email: str = NEW, password: str = PASSWORD) -> TestResponse:
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


def test_the_link_in_the_letter_makes_the_new_address_count(app: Flask, user: ApiUser) -> None:
    asked = ask(user)

    response = confirm(app, token_to(app))

    assert (asked.status_code, response.status_code) == (202, 200)
    assert addresses(user) == {"email": NEW, "pending_email": None, "email_verified": True}


@pytest.mark.parametrize("ask_by", [ask, patch])
def test_F17_the_old_address_counts_until_the_new_one_is_confirmed(
    app: Flask, user: ApiUser, ask_by: Callable[[ApiUser], TestResponse]
) -> None:
    assert ask_by(user).status_code in (200, 202)

    assert addresses(user) == {"email": user.email, "pending_email": NEW, "email_verified": False}
    assert (can_sign_in(app, user.email), can_sign_in(app, NEW)) == (True, False)
    app.test_client().post(RESET, json={"email": NEW})
    assert [letter.kind for letter in emails_to(app, NEW)] == ["confirm_new_email"]

    assert confirm(app, token_to(app)).status_code == 200

    assert (can_sign_in(app, user.email), can_sign_in(app, NEW)) == (False, True)
    app.test_client().post(RESET, json={"email": user.email})
    app.test_client().post(RESET, json={"email": NEW})
    assert emails_to(app, user.email, "reset_password") == []
    assert len(emails_to(app, NEW, "reset_password")) == 1


def test_F17_asking_needs_the_password(app: Flask, user: ApiUser) -> None:
    refused = ask(user, password="not my password at all")

    assert refused.status_code == 400
    assert list(refused.get_json()["errors"]) == ["password"]
    assert addresses(user)["pending_email"] is None
    assert all_emails(app) == []
    assert ask(user).status_code == 202


def test_F17_asking_needs_a_caller(app: Flask, user: ApiUser) -> None:
    response = app.test_client().post(CHANGE, json={"email": NEW, "password": PASSWORD})

    assert response.status_code == 401


@pytest.mark.parametrize("ask_by", [ask, patch])
def test_F16_F17_the_old_address_is_told_when_it_has_been_replaced(
    app: Flask, make_api_user: Callable[..., ApiUser], ask_by: Callable[[ApiUser], TestResponse]
) -> None:
    user = make_api_user(email_verified=True)
    ask_by(user)
    assert emails_to(app, user.email) == []

    confirm(app, token_to(app))

    (letter,) = emails_to(app, user.email)
    assert letter.kind == "email_changed"
    assert "/undo-email-change/" in letter.link
    assert NEW not in letter.text + letter.html


def test_an_address_patched_where_none_is_confirmed_counts_at_once(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_VERIFICATION="none")
    wanted = new_user()
    make_user(app, **wanted)
    bearer = {"Authorization": f"Bearer {sign_in(app, wanted['email'])['access_token']}"}

    response = app.test_client().patch(ME, json={"email": NEW, "current_password": PASSWORD}, headers=bearer)

    assert (response.status_code, response.get_json()["email"]) == (200, NEW)
    assert [(letter.kind, letter.recipient) for letter in all_emails(app)] == [("email_changed", wanted["email"])]
    assert can_sign_in(app, NEW)


def test_an_address_sent_back_unchanged_leaves_the_waiting_one_alone(app: Flask, user: ApiUser) -> None:
    ask(user)
    seen = user.get(ME).get_json()

    response = user.put(ME, json=seen)

    assert response.get_json() == seen
    assert len(emails_to(app, NEW)) == 1
    assert confirm(app, token_to(app)).status_code == 200


def test_asking_for_ones_own_address_takes_the_change_back(app: Flask, user: ApiUser) -> None:
    ask(user)
    ask(user, user.email)

    response = confirm(app, token_to(app))

    assert response.get_json()["code"] == "invalid_link"
    assert addresses(user)["pending_email"] is None
    assert addresses(user)["email"] == user.email


@pytest.mark.parametrize("spell", [str, str.upper])
def test_asking_for_ones_own_email_says_that_no_link_was_sent(
    app: Flask, user: ApiUser, spell: Callable[[str], str]
) -> None:
    asked = ask(user, spell(user.email))
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    typed = {"email": spell(user.email), "password": PASSWORD}
    saved = browser.send("/account/email/", typed, form_on="/account/")

    assert asked.status_code == 202
    text = "This is already your email address, so no link was sent. No email change is pending."
    assert asked.get_json() == {"detail": text}
    assert text in browser.follow(saved).text
    assert emails_to(app, user.email, "confirm_new_email") == []


def test_F07_the_last_address_asked_for_is_the_one_that_counts(app: Flask, user: ApiUser) -> None:
    ask(user, "first@example.org")
    ask(user, "second@example.org")

    first = confirm(app, token_to(app, "first@example.org"))
    second = confirm(app, token_to(app, "second@example.org"))

    assert (first.status_code, first.get_json()["code"]) == (400, "invalid_link")
    assert second.status_code == 200
    assert addresses(user)["email"] == "second@example.org"


def test_F05_a_link_works_once(app: Flask, user: ApiUser) -> None:
    ask(user, "first@example.org")
    ask(user, "first@example.org")
    earlier, later = (letter.token for letter in emails_to(app, "first@example.org"))
    assert confirm(app, later).status_code == 200

    for token in (later, earlier):
        assert confirm(app, token).get_json()["code"] == "invalid_link"


def change_password(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    new = "brittle harbour lantern 42"
    change = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert user.post("/userapi/auth/password/change/", json=change).status_code == 200


def reset_password(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    app.test_client().post(RESET, json={"email": user.email})
    letter = emails_to(app, user.email, "reset_password")[0]
    new = "brittle harbour lantern 42"
    body = {"uid": letter.uid, "token": letter.token, "new_password1": new, "new_password2": new}
    assert app.test_client().post(f"{RESET}confirm/", json=body).status_code == 200


def be_moved_by_staff(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    assert staff.patch(user.url, json={"email": "third@example.org"}).status_code == 200


def be_deactivated_and_activated(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    for is_active in (False, True):
        assert staff.patch(user.url, json={"is_active": is_active}).status_code == 200


@pytest.mark.parametrize("event", [change_password, reset_password, be_moved_by_staff, be_deactivated_and_activated])
def test_F07_a_waiting_change_dies_with_the_state_it_was_asked_in(
    app: Flask, user: ApiUser, staff: ApiUser, event: Callable[[Flask, ApiUser, ApiUser], None]
) -> None:
    ask(user)
    event(app, user, staff)

    response = confirm(app, token_to(app))

    assert response.get_json()["code"] == "invalid_link"
    seen = staff.get(user.url).get_json()
    assert (seen["email"] == NEW, seen["pending_email"]) == (False, None)


def test_F07_the_password_alone_stands_against_a_link_of_another_ones_time(app: Flask, user: ApiUser) -> None:
    """The waiting address is put back, so that only the mark of the password is in the way."""
    ask(user)
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


def test_staff_set_anothers_address_at_once(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    response = staff.patch(user.url, json={"email": NEW})

    assert (response.get_json()["email"], response.get_json()["pending_email"]) == (NEW, None)
    assert [letter.kind for letter in emails_to(app, user.email)] == ["email_changed"]
    assert [letter.kind for letter in emails_to(app, NEW)] == ["verify_email"]
    assert can_sign_in(app, NEW)


def test_F17_staff_prove_their_own_address_like_everybody(app: Flask, superuser: ApiUser) -> None:
    alone = superuser.patch(superuser.url, json={"email": NEW})
    response = superuser.patch(superuser.url, json={"email": NEW, "current_password": PASSWORD})

    assert (alone.status_code, list(alone.get_json()["errors"])) == (400, ["current_password"])
    assert (response.get_json()["email"], response.get_json()["pending_email"]) == (superuser.email, NEW)
    assert confirm(app, token_to(app)).status_code == 200
    assert addresses(superuser)["email"] == NEW


@pytest.mark.parametrize("ask_by", [ask, patch])
def test_G04_an_address_in_use_is_refused_whatever_its_case(
    app: Flask, user: ApiUser, other_user: ApiUser, ask_by: Callable[..., TestResponse]
) -> None:
    response = ask_by(user, other_user.email.upper())

    assert (response.status_code, response.get_json()["code"]) == (400, "email_taken")
    assert addresses(user)["pending_email"] is None
    assert all_emails(app) == []


def test_an_address_taken_meanwhile_is_refused_and_the_old_one_stays(app: Flask, user: ApiUser) -> None:
    ask(user)
    make_user(app, email=NEW.upper())

    response = confirm(app, token_to(app))

    assert (response.status_code, response.get_json()["code"]) == (400, "email_taken")
    assert can_sign_in(app, user.email)
    assert emails_to(app, user.email) == []


@pytest.mark.parametrize("payload", [f"{NEW},eve@example.net", f"{NEW}\r\nBcc: eve@example.net", [NEW], f"<{NEW}>", ""])
def test_F04_no_payload_adds_a_recipient(app: Flask, user: ApiUser, payload: Any) -> None:
    response = ask(user, payload)

    assert response.status_code == 400
    assert all_emails(app) == []


def test_F04_the_letter_goes_to_the_new_address_as_typed_and_to_nobody_else(app: Flask, user: ApiUser) -> None:
    ask(user, "  New.Address@Example.org ")

    assert [letter.recipient for letter in all_emails(app)] == ["New.Address@Example.org"]
    assert all_emails(app)[0].link == f"http://accounts.example.com/verify-email/{all_emails(app)[0].secret}/"


def test_sessions_go_on_under_the_new_address(app: Flask, user: ApiUser) -> None:
    ask(user)
    confirm(app, token_to(app))

    assert user.get(ME).status_code == 200
