"""Resetting a password with the link in an email, and its effects."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, can_sign_in, sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.password_reset import (
    CONFIRM_PATH,
    NEW_PASSWORD,
    OTHER_PASSWORD,
    REQUEST_PATH,
    confirm_reset,
    reset_link,
)
from tests.support.sql import execute_sql


def test_the_link_in_the_email_sets_a_new_password(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    link = reset_link(app, user.email)

    response = confirm_reset(client, link)

    assert response.status_code == 200
    assert can_sign_in(app, user.email, NEW_PASSWORD)
    assert not can_sign_in(app, user.email, PASSWORD)


def test_forms_and_json_both_reset_the_password(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    client.post(REQUEST_PATH, data={"email": user.email})
    sent_email = emails_to(app, user.email, "reset_password")[0]

    response = client.post(
        CONFIRM_PATH,
        data={
            "uid": sent_email.uid,
            "token": sent_email.token,
            "new_password1": NEW_PASSWORD,
            "new_password2": NEW_PASSWORD,
        },
    )

    assert response.status_code == 200
    assert can_sign_in(app, user.email, NEW_PASSWORD)


def test_an_account_without_a_password_gets_its_first_one(app: Flask, client: FlaskClient) -> None:
    wanted = new_user(password=None)
    make_user(app, **wanted)

    response = confirm_reset(client, reset_link(app, wanted["email"]))

    assert response.status_code == 200
    assert can_sign_in(app, wanted["email"], NEW_PASSWORD)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"new_password1": "short", "new_password2": "short"}, "new_password1"),
        ({"new_password1": "password1234", "new_password2": "password1234"}, "new_password1"),
        ({"new_password1": "8675309186753091", "new_password2": "8675309186753091"}, "new_password1"),
        ({"new_password1": "wren.okafor.wren", "new_password2": "wren.okafor.wren"}, "new_password1"),
        ({"new_password1": "x" * 129, "new_password2": "x" * 129}, "new_password1"),
        ({"new_password2": OTHER_PASSWORD}, "new_password2"),
    ],
)
def test_F13_the_link_stays_valid_after_a_rejected_password(
    app: Flask, client: FlaskClient, user: ApiUser, fields: dict[str, str], field: str
) -> None:
    link = reset_link(app, user.email)

    rejected = confirm_reset(client, link, **fields)

    assert rejected.status_code == 400
    assert list(rejected.get_json()["errors"]) == [field]
    assert can_sign_in(app, user.email, PASSWORD)
    assert confirm_reset(client, link).status_code == 200


def test_F13_an_invalid_link_is_reported_before_an_invalid_password(
    app: Flask, client: FlaskClient, user: ApiUser
) -> None:
    link = reset_link(app, user.email)

    response = confirm_reset(client, link | {"token": "A" * 43}, "12345678")

    assert response.get_json()["code"] == "invalid_link"


def test_F15_a_reset_does_not_sign_in(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    response = confirm_reset(client, reset_link(app, user.email))

    assert response.status_code == 200
    assert list(response.get_json()) == ["detail"]
    assert "Set-Cookie" not in response.headers


def test_F15_an_inactive_account_stays_inactive(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    link = reset_link(app, user.email)
    execute_sql(app, "UPDATE users SET is_active = false WHERE id = :id", id=user.id)
    rejected = confirm_reset(client, link)
    execute_sql(app, "UPDATE users SET is_active = true WHERE id = :id", id=user.id)

    assert rejected.get_json()["code"] == "invalid_link"
    assert can_sign_in(app, user.email, PASSWORD)
    assert confirm_reset(client, link).status_code == 200


@pytest.mark.parametrize("missing", ["uid", "token", "new_password1", "new_password2"])
def test_F15_no_step_can_be_skipped(app: Flask, client: FlaskClient, user: ApiUser, missing: str) -> None:
    body = {**reset_link(app, user.email), "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    without = {name: value for name, value in body.items() if name != missing}

    responses = [
        client.post(CONFIRM_PATH, json=json) for json in (without, without | {missing: None}, without | {missing: ""})
    ]

    assert [response.status_code for response in responses] == [400, 400, 400]
    assert can_sign_in(app, user.email, PASSWORD)
    assert client.post(CONFIRM_PATH, json=body).status_code == 200


def test_F16_the_owner_is_notified_of_a_reset(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    link = reset_link(app, user.email)
    confirm_reset(client, link)

    (sent_email,) = emails_to(app, user.email, "password_changed")
    assert sent_email.secret is None
    assert not {link["token"], NEW_PASSWORD} & set((sent_email.text + sent_email.html).split())


def test_R18_a_reset_ends_every_session_immediately(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    browser, second = app.test_client(), sign_in(app, user.email)
    browser.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    callers: list[Callable[[], TestResponse]] = [
        lambda: user.get("/userapi/auth/user/"),
        lambda: client.get("/userapi/auth/user/", headers=bearer),
        lambda: browser.get("/userapi/auth/user/"),
    ]
    assert [call().status_code for call in callers] == [200, 200, 200]

    confirm_reset(client, reset_link(app, user.email))

    assert [call().status_code for call in callers] == [401, 401, 401]
    for pair in (user.tokens, second):
        refresh = client.post("/api-token-refresh/", json={"refresh_token": pair["refresh_token"]})
        assert refresh.status_code == 401
    assert can_sign_in(app, user.email, NEW_PASSWORD)


def test_a_reset_confirms_the_email_address(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    assert user.get("/userapi/auth/user/").get_json()["email_verified"] is False

    confirm_reset(client, reset_link(app, user.email))

    user.tokens.update(sign_in(app, user.email, NEW_PASSWORD))
    assert user.get("/userapi/auth/user/").get_json()["email_verified"] is True
