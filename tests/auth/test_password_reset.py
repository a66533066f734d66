"""A forgotten password: another one is set by the link in a letter, and what comes of it."""

from collections.abc import Callable

import pytest
from conftest import Person, sign_in, signs_in
from database import execute
from factories import PASSWORD, make_user, new_user
from flask import Flask
from flask.testing import FlaskClient
from inbox import letters_to
from resetting import ASK, CONFIRM, NEW, OTHER, confirm, reset_link
from werkzeug.test import TestResponse


def test_the_link_in_the_letter_sets_another_password(app: Flask, client: FlaskClient, user: Person) -> None:
    link = reset_link(app, user.email)

    response = confirm(client, link)

    assert response.status_code == 200
    assert signs_in(app, user.email, NEW)
    assert not signs_in(app, user.email, PASSWORD)


def test_a_form_resets_as_json_does(app: Flask, client: FlaskClient, user: Person) -> None:
    client.post(ASK, data={"email": user.email})
    letter = letters_to(app, user.email, "reset_password")[0]

    response = client.post(
        CONFIRM, data={"uid": letter.uid, "token": letter.token, "new_password1": NEW, "new_password2": NEW}
    )

    assert response.status_code == 200
    assert signs_in(app, user.email, NEW)


def test_an_account_without_a_password_gets_its_first_one(app: Flask, client: FlaskClient) -> None:
    wanted = new_user(password=None)
    make_user(app, **wanted)

    response = confirm(client, reset_link(app, wanted["email"]))

    assert response.status_code == 200
    assert signs_in(app, wanted["email"], NEW)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"new_password1": "short", "new_password2": "short"}, "new_password1"),
        ({"new_password1": "password1234", "new_password2": "password1234"}, "new_password1"),
        ({"new_password1": "8675309186753091", "new_password2": "8675309186753091"}, "new_password1"),
        ({"new_password1": "wren.okafor.wren", "new_password2": "wren.okafor.wren"}, "new_password1"),
        ({"new_password1": "x" * 129, "new_password2": "x" * 129}, "new_password1"),
        ({"new_password2": OTHER}, "new_password2"),
    ],
)
def test_F13_a_refused_password_leaves_the_link_good(
    app: Flask, client: FlaskClient, user: Person, fields: dict[str, str], field: str
) -> None:
    link = reset_link(app, user.email)

    refused = confirm(client, link, **fields)

    assert refused.status_code == 400
    assert list(refused.get_json()["errors"]) == [field]
    assert signs_in(app, user.email, PASSWORD)
    assert confirm(client, link).status_code == 200


def test_F13_a_bad_link_is_told_before_a_bad_password(app: Flask, client: FlaskClient, user: Person) -> None:
    link = reset_link(app, user.email)

    response = confirm(client, link | {"token": "A" * 43}, "12345678")

    assert response.get_json()["code"] == "invalid_link"


def test_F15_a_reset_does_not_sign_in(app: Flask, client: FlaskClient, user: Person) -> None:
    response = confirm(client, reset_link(app, user.email))

    assert response.status_code == 200
    assert list(response.get_json()) == ["detail"]
    assert "Set-Cookie" not in response.headers


def test_F15_an_inactive_account_stays_inactive(app: Flask, client: FlaskClient, user: Person) -> None:
    link = reset_link(app, user.email)
    execute(app, "UPDATE users SET is_active = false WHERE id = :id", id=user.id)
    refused = confirm(client, link)
    execute(app, "UPDATE users SET is_active = true WHERE id = :id", id=user.id)

    assert refused.get_json()["code"] == "invalid_link"
    assert signs_in(app, user.email, PASSWORD)
    assert confirm(client, link).status_code == 200


@pytest.mark.parametrize("missing", ["uid", "token", "new_password1", "new_password2"])
def test_F15_no_step_can_be_left_out(app: Flask, client: FlaskClient, user: Person, missing: str) -> None:
    body = {**reset_link(app, user.email), "new_password1": NEW, "new_password2": NEW}
    without = {name: value for name, value in body.items() if name != missing}

    answers = [
        client.post(CONFIRM, json=json) for json in (without, without | {missing: None}, without | {missing: ""})
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert signs_in(app, user.email, PASSWORD)
    assert client.post(CONFIRM, json=body).status_code == 200


def test_F16_the_owner_is_told_of_a_reset(app: Flask, client: FlaskClient, user: Person) -> None:
    link = reset_link(app, user.email)
    confirm(client, link)

    (letter,) = letters_to(app, user.email, "password_changed")
    assert letter.secret is None
    assert not {link["token"], NEW} & set((letter.text + letter.html).split())


def test_R18_a_reset_ends_every_session_at_once(app: Flask, client: FlaskClient, user: Person) -> None:
    browser, second = app.test_client(), sign_in(app, user.email)
    browser.post("/userapi/auth/login/", json={"email": user.email, "password": PASSWORD, "cookies": True})
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    callers: list[Callable[[], TestResponse]] = [
        lambda: user.get("/userapi/auth/user/"),
        lambda: client.get("/userapi/auth/user/", headers=bearer),
        lambda: browser.get("/userapi/auth/user/"),
    ]
    assert [call().status_code for call in callers] == [200, 200, 200]

    confirm(client, reset_link(app, user.email))

    assert [call().status_code for call in callers] == [401, 401, 401]
    for pair in (user.tokens, second):
        refresh = client.post("/api-token-refresh/", json={"refresh_token": pair["refresh_token"]})
        assert refresh.status_code == 401
    assert signs_in(app, user.email, NEW)


def test_a_reset_shows_that_the_address_is_the_owners(app: Flask, client: FlaskClient, user: Person) -> None:
    assert user.get("/userapi/auth/user/").get_json()["email_verified"] is False

    confirm(client, reset_link(app, user.email))

    user.tokens.update(sign_in(app, user.email, NEW))
    assert user.get("/userapi/auth/user/").get_json()["email_verified"] is True
