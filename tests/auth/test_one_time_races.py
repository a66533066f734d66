"""Links used in parallel: one request wins, and nothing is left half done."""

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
    sent_email = emails_to(app, email, "reset_password")[-1]
    return {"uid": sent_email.uid, "token": sent_email.token, "new_password1": password, "new_password2": password}


def test_N03_only_one_of_eight_parallel_uses_of_a_reset_link_sets_the_password(app: Flask, user: ApiUser) -> None:
    app.test_client().post(RESET, json={"email": user.email})
    passwords = [f"brittle harbour lantern {number}" for number in range(8)]

    responses = run_simultaneously(
        [post(app, f"{RESET}confirm/", reset_body(app, user.email, password)) for password in passwords]
    )

    won = [password for password, response in zip(passwords, responses, strict=True) if response.status_code == 200]
    assert len(won) == 1
    assert sorted({response.get_json().get("code", "won") for response in responses}) == ["invalid_link", "won"]
    assert [password for password in [*passwords, PASSWORD] if can_sign_in(app, user.email, password)] == won
    assert len(emails_to(app, user.email, "password_changed")) == 1


def test_N03_only_one_of_eight_parallel_reset_links_sets_the_password(app: Flask, user: ApiUser) -> None:
    passwords = [f"brittle harbour lantern {number}" for number in range(8)]
    bodies = []
    for password in passwords:
        app.test_client().post(RESET, json={"email": user.email})
        bodies.append(reset_body(app, user.email, password))

    responses = run_simultaneously([post(app, f"{RESET}confirm/", body) for body in bodies])

    won = [password for password, response in zip(passwords, responses, strict=True) if response.status_code == 200]
    assert len(won) == 1
    assert [password for password in passwords if can_sign_in(app, user.email, password)] == won


def test_N10_only_one_of_two_users_can_confirm_the_same_email(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    wanted = "wanted@example.org"
    for caller in (user, other_user):
        change = {"email": wanted, "password": PASSWORD}
        assert caller.post("/userapi/auth/email/change/", json=change).status_code == 202
    tokens = [sent_email.token for sent_email in emails_to(app, wanted)]

    responses = run_simultaneously([post(app, VERIFY, {"token": token}) for token in tokens])

    assert sorted(response.status_code for response in responses) == [200, 400]
    (lost,) = [response for response in responses if response.status_code == 400]
    assert lost.get_json()["code"] == "email_taken"
    owners = [caller.get("/userapi/auth/user/").get_json()["email"] for caller in (user, other_user)]
    assert [owner == wanted for owner in owners] == [response.status_code == 200 for response in responses]


def test_N10_a_registration_and_a_change_to_the_same_email_leave_one_owner(app: Flask, user: ApiUser) -> None:
    wanted = "wanted@example.org"
    user.post("/userapi/auth/email/change/", json={"email": wanted, "password": PASSWORD})
    token = emails_to(app, wanted)[0].token
    registration = post(app, "/userapi/users/", new_user(email=wanted.upper()))

    responses = run_simultaneously([post(app, VERIFY, {"token": token}), registration])

    assert [response.status_code for response in responses] in ([200, 400], [400, 201])
    assert [response.get_json().get("code") for response in responses].count("email_taken") == 1


def test_N13_only_one_of_eight_parallel_verifications_has_an_effect(app: Flask) -> None:
    email = new_user()["email"]
    app.test_client().post("/userapi/users/", json=new_user(email=email))
    token = emails_to(app, email)[0].token

    responses = run_simultaneously([post(app, VERIFY, {"token": token})] * 8)

    assert sorted(response.status_code for response in responses) == [200] + [400] * 7
    assert {response.get_json()["code"] for response in responses if response.status_code == 400} == {"invalid_link"}


def test_N13_only_one_of_eight_parallel_email_changes_has_an_effect(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/auth/email/change/", json={"email": "wanted@example.org", "password": PASSWORD})
    token = emails_to(app, "wanted@example.org")[0].token

    responses = run_simultaneously([post(app, VERIFY, {"token": token})] * 8)

    assert sorted(response.status_code for response in responses) == [200] + [400] * 7
    assert len(emails_to(app, user.email, "email_changed")) == 1


def test_N07_a_reset_waits_for_a_running_deactivation_and_then_fails(app: Flask, user: ApiUser) -> None:
    """Both lock the user first; if one locked the token first, they would deadlock."""
    app.test_client().post(RESET, json={"email": user.email})
    body, responses = reset_body(app, user.email, "brittle harbour lantern 42"), []
    confirming = threading.Thread(
        target=lambda: responses.append(app.test_client().post(f"{RESET}confirm/", json=body)), daemon=True
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
    assert [response.get_json()["code"] for response in responses] == ["invalid_link"]
