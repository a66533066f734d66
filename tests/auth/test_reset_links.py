"""Reset links: which are valid, how often, and for how long."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, can_sign_in
from tests.support.comparable_responses import comparable
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, new_user
from tests.support.password_reset import NEW_PASSWORD, OTHER_PASSWORD, confirm_reset, reset_link
from tests.support.sql import execute_sql
from userapi.core import clock
from userapi.core.db import Model, db

pytestmark = pytest.mark.both


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def move_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + by)


def test_F05_F06_F20_every_invalid_link_gets_the_same_response(
    app: Flask, client: FlaskClient, user: ApiUser, other_user: ApiUser
) -> None:
    used, good, foreign = (reset_link(app, email) for email in (user.email, user.email, other_user.email))
    user.post("/userapi/auth/email/change/", json={"email": "next@example.com", "password": user.password})
    client.post("/userapi/auth/email/resend/", json={"email": user.email})
    execute_sql(app, "UPDATE one_time_tokens SET used_at = created_at WHERE digest = :d", d=digest(used["token"]))
    token, swapped = good["token"], good["token"].swapcase()
    bad = {
        "used": used,
        "another account's token": good | {"token": foreign["token"]},
        "another account's uid": good | {"uid": foreign["uid"]},
        "an unused uid": good | {"uid": "999999"},
        "a uid in another spelling": good | {"uid": f"0{good['uid']}"},
        "a uid with blanks": good | {"uid": f" {good['uid']}"},
        "a uid in other digits": good | {"uid": "".join(chr(ord(digit) + 0x0660 - 0x30) for digit in good["uid"])},
        "a negative uid": good | {"uid": "-1"},
        "an enormous uid": good | {"uid": "9" * 20},
        "a uid that is no number": good | {"uid": "me"},
        "cut": good | {"token": token[:-1]},
        "longer": good | {"token": f"{token}A"},
        "one character changed": good | {"token": ("B" if token[0] == "A" else "A") + token[1:]},
        "case": good | {"token": swapped},
        "padded": good | {"token": f"{token}="},
        "blanks around it": good | {"token": f" {token} "},
        "the stored digest": good | {"token": digest(token)},
        "made up": good | {"token": "A" * 43},
        "a link that verifies": good | {"token": emails_to(app, user.email, "verify_email")[0].token},
        "a link that changes the address": good | {"token": emails_to(app, "next@example.com")[0].token},
        "an access token": good | {"token": user.tokens["access_token"][:200]},
    }

    responses = {why: comparable(confirm_reset(client, link)) for why, link in bad.items()}

    status, body, _headers = responses["used"]
    assert (status, body.count(b'"code":"invalid_link"')) == (400, 1)
    assert {why: response for why, response in responses.items() if response != responses["used"]} == {}
    assert can_sign_in(app, user.email, PASSWORD)
    assert can_sign_in(app, other_user.email, PASSWORD)
    assert confirm_reset(client, good).status_code == 200


def test_F05_a_link_works_once(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    link = reset_link(app, user.email)
    assert confirm_reset(client, link, NEW_PASSWORD).status_code == 200

    response = confirm_reset(client, link, OTHER_PASSWORD)

    assert response.status_code == 400
    assert response.get_json()["code"] == "invalid_link"
    assert can_sign_in(app, user.email, NEW_PASSWORD)


def test_F05_a_used_link_is_rejected_even_if_the_account_is_as_before(
    app: Flask, client: FlaskClient, user: ApiUser
) -> None:
    """The earlier password is restored, so that the password check of the link passes again."""
    link = reset_link(app, user.email)
    with app.app_context():
        before = db.session.scalar(sa.text("SELECT password_hash FROM users WHERE id = :id"), {"id": user.id})
    assert confirm_reset(client, link).status_code == 200
    execute_sql(app, "UPDATE users SET password_hash = :hash WHERE id = :id", hash=before, id=user.id)

    response = confirm_reset(client, link, OTHER_PASSWORD)

    assert response.get_json()["code"] == "invalid_link"
    assert can_sign_in(app, user.email, PASSWORD)


def change_password(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    change = {"old_password": PASSWORD, "new_password1": OTHER_PASSWORD, "new_password2": OTHER_PASSWORD}
    assert user.post("/userapi/auth/password/change/", json=change).status_code == 200


def complete_a_newer_reset(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    assert confirm_reset(user.client, reset_link(app, user.email), OTHER_PASSWORD).status_code == 200


def change_the_email(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    user.post("/userapi/auth/email/change/", json={"email": "moved@example.com", "password": PASSWORD})
    token = emails_to(app, "moved@example.com", "confirm_new_email")[0].token
    assert user.client.post("/userapi/auth/email/verify/", json={"token": token}).status_code == 200


def change_the_email_as_staff_and_back(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    for address in ("moved@example.com", user.email):
        assert staff.patch(user.url, json={"email": address}).status_code == 200


def deactivate(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    assert staff.patch(user.url, json={"is_active": False}).status_code == 200


def deactivate_and_activate(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    for is_active in (False, True):
        assert staff.patch(user.url, json={"is_active": is_active}).status_code == 200


def delete_the_account(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    assert staff.delete(user.url).status_code == 204


def delete_the_account_and_register_again(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    delete_the_account(app, user, staff)
    assert user.client.post("/userapi/users/", json=new_user(email=user.email)).status_code == 201


@pytest.mark.parametrize(
    "event",
    [
        change_password,
        complete_a_newer_reset,
        change_the_email,
        change_the_email_as_staff_and_back,
        deactivate,
        deactivate_and_activate,
        delete_the_account,
        delete_the_account_and_register_again,
    ],
)
def test_F07_K03_later_changes_to_the_account_invalidate_the_link(
    app: Flask, user: ApiUser, staff: ApiUser, event: Callable[[Flask, ApiUser, ApiUser], None]
) -> None:
    link = reset_link(app, user.email)
    event(app, user, staff)

    response = confirm_reset(app.test_client(), link)

    assert response.status_code == 400
    assert response.get_json()["code"] == "invalid_link"
    assert not can_sign_in(app, user.email, NEW_PASSWORD)


def test_F08_a_link_expires_after_an_hour(
    app: Flask, client: FlaskClient, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, older = reset_link(app, user.email), reset_link(app, user.email)
    move_clock(monkeypatch, timedelta(hours=1, seconds=1))
    expired = confirm_reset(client, older)
    move_clock(monkeypatch, timedelta(minutes=59, seconds=30))

    in_time = confirm_reset(client, old)

    assert (expired.status_code, expired.get_json()["code"]) == (400, "invalid_link")
    assert in_time.status_code == 200


def test_F09_each_email_has_a_new_token_of_256_random_bits(app: Flask, user: ApiUser) -> None:
    tokens = {reset_link(app, user.email)["token"] for _ in range(3)}

    assert len(tokens) == 3
    assert {len(token) for token in tokens} == {43}  # 256 bits in base64 without padding


def test_F10_only_the_queued_email_contains_the_token(app: Flask, user: ApiUser) -> None:
    token = reset_link(app, user.email)["token"]

    with app.app_context():
        stored = {table.name: str(db.session.execute(table.select()).all()) for table in Model.metadata.sorted_tables}

    assert [name for name, rows in stored.items() if token in rows] == ["messages"]
    assert digest(token) in stored["one_time_tokens"]
