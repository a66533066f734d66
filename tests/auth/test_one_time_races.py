"""Links used by several at once: one wins, and nothing is left half done."""

import threading
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, can_sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, new_user
from tests.support.race import run_simultaneously
from userapi.core.db import db
from userapi.users import accounts, queries

pytestmark = pytest.mark.both

VERIFY = "/userapi/auth/email/verify/"
RESET = "/userapi/auth/password/reset/"


def post(app: Flask, path: str, json: dict[str, str]) -> Callable[[], TestResponse]:
    return lambda: app.test_client().post(path, json=json)


def reset_body(app: Flask, email: str, password: str) -> dict[str, str]:
    letter = emails_to(app, email, "reset_password")[-1]
    return {"uid": letter.uid, "token": letter.token, "new_password1": password, "new_password2": password}


def test_N03_of_eight_who_use_one_reset_link_one_sets_the_password(app: Flask, user: ApiUser) -> None:
    app.test_client().post(RESET, json={"email": user.email})
    passwords = [f"brittle harbour lantern {number}" for number in range(8)]

    answers = run_simultaneously(
        [post(app, f"{RESET}confirm/", reset_body(app, user.email, password)) for password in passwords]
    )

    won = [password for password, answer in zip(passwords, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    assert sorted({answer.get_json().get("code", "won") for answer in answers}) == ["invalid_link", "won"]
    assert [password for password in [*passwords, PASSWORD] if can_sign_in(app, user.email, password)] == won
    assert len(emails_to(app, user.email, "password_changed")) == 1


def test_N03_of_eight_reset_links_used_at_once_one_sets_the_password(app: Flask, user: ApiUser) -> None:
    passwords = [f"brittle harbour lantern {number}" for number in range(8)]
    bodies = []
    for password in passwords:
        app.test_client().post(RESET, json={"email": user.email})
        bodies.append(reset_body(app, user.email, password))

    answers = run_simultaneously([post(app, f"{RESET}confirm/", body) for body in bodies])

    won = [password for password, answer in zip(passwords, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    assert [password for password in passwords if can_sign_in(app, user.email, password)] == won


def test_N10_of_two_users_who_confirm_one_address_one_gets_it(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    wanted = "wanted@example.org"
    for person in (user, other_user):
        change = {"email": wanted, "password": PASSWORD}
        assert person.post("/userapi/auth/email/change/", json=change).status_code == 202
    tokens = [letter.token for letter in emails_to(app, wanted)]

    answers = run_simultaneously([post(app, VERIFY, {"token": token}) for token in tokens])

    assert sorted(answer.status_code for answer in answers) == [200, 400]
    (lost,) = [answer for answer in answers if answer.status_code == 400]
    assert lost.get_json()["code"] == "email_taken"
    owners = [person.get("/userapi/auth/user/").get_json()["email"] for person in (user, other_user)]
    assert [owner == wanted for owner in owners] == [answer.status_code == 200 for answer in answers]


def test_N10_a_registration_and_a_change_to_one_address_leave_one_owner(app: Flask, user: ApiUser) -> None:
    wanted = "wanted@example.org"
    user.post("/userapi/auth/email/change/", json={"email": wanted, "password": PASSWORD})
    token = emails_to(app, wanted)[0].token
    registration = post(app, "/userapi/users/", new_user(email=wanted.upper()))

    answers = run_simultaneously([post(app, VERIFY, {"token": token}), registration])

    assert [answer.status_code for answer in answers] in ([200, 400], [400, 201])
    assert [answer.get_json().get("code") for answer in answers].count("email_taken") == 1


def test_N13_of_eight_who_use_one_verifying_link_one_has_an_effect(app: Flask) -> None:
    email = new_user()["email"]
    app.test_client().post("/userapi/users/", json=new_user(email=email))
    token = emails_to(app, email)[0].token

    answers = run_simultaneously([post(app, VERIFY, {"token": token})] * 8)

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert {answer.get_json()["code"] for answer in answers if answer.status_code == 400} == {"invalid_link"}


def test_N13_of_eight_who_use_one_changing_link_one_has_an_effect(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/auth/email/change/", json={"email": "wanted@example.org", "password": PASSWORD})
    token = emails_to(app, "wanted@example.org")[0].token

    answers = run_simultaneously([post(app, VERIFY, {"token": token})] * 8)

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert len(emails_to(app, user.email, "email_changed")) == 1


def test_N07_a_reset_waits_for_a_deactivation_under_way_and_then_fails(app: Flask, user: ApiUser) -> None:
    """Both lock the user first: locking the token first, each would hold what the other waits for."""
    app.test_client().post(RESET, json={"email": user.email})
    body, answers = reset_body(app, user.email, "brittle harbour lantern 42"), []
    confirming = threading.Thread(
        target=lambda: answers.append(app.test_client().post(f"{RESET}confirm/", json=body)), daemon=True
    )
    with app.app_context():
        held = queries.lock_user(user.id)
        assert held is not None
        confirming.start()
        confirming.join(0.3)
        waited = confirming.is_alive()
        accounts.deactivate(held)
        db.session.commit()
    confirming.join(10)

    assert waited
    assert [answer.get_json()["code"] for answer in answers] == ["invalid_link"]
