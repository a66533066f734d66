"""Clients of the replaced service find the members, statuses and headers that they know."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.api_keys import create_key
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.legacy_clients import (
    CHANGE,
    LOGIN,
    LOGOUT,
    ME,
    OBTAIN,
    REFRESH,
    USERS,
    OldUser,
    refresh,
    sign_in_as_before,
    verify,
    with_token,
)


def test_sign_ins_also_return_the_access_token_as_token(old_client: FlaskClient, imported: OldUser) -> None:
    for path in (OBTAIN, f"/userapi{OBTAIN}", LOGIN):
        found = old_client.post(path, json={"email": imported.email, "password": PASSWORD}).get_json()

        assert found["token"] == found["access_token"]
    assert found["user"]["pk"] == found["user"]["id"] == imported.id


def test_a_sign_in_may_have_an_empty_name_beside_the_email(old_client: FlaskClient, imported: OldUser) -> None:
    sent = {"username": "", "email": imported.email, "password": PASSWORD}

    assert old_client.post(LOGIN, data=sent).status_code == 200


@pytest.mark.parametrize("scheme", ["JWT", "jwt", "Bearer"])
def test_the_scheme_jwt_is_read_as_bearer(old_client: FlaskClient, imported: OldUser, scheme: str) -> None:
    token = sign_in_as_before(old_client, imported.email)

    found = old_client.get(ME, headers={"Authorization": f"{scheme} {token}"})

    assert (found.status_code, found.get_json()["pk"]) == (200, imported.id)


def test_what_a_client_read_of_its_user_can_be_sent_back(old_client: FlaskClient, imported: OldUser) -> None:
    headers = with_token(sign_in_as_before(old_client, imported.email))
    read = old_client.get(ME, headers=headers)

    again = old_client.get(ME, headers={**headers, "If-None-Match": read.headers["ETag"]})
    replaced = old_client.put(ME, json={**read.get_json(), "first_name": "Ada"}, headers=headers)
    named = old_client.put(ME, json={"username": "ada", "first_name": "Ada", "last_name": ""}, headers=headers)

    assert again.status_code == 304
    assert (replaced.status_code, replaced.get_json()["first_name"]) == (200, "Ada")
    assert (named.status_code, named.get_json()["username"], named.get_json()["pk"]) == (200, "ada", imported.id)


def test_a_verified_token_is_returned_with_its_user_beside_its_claims(
    old_client: FlaskClient, imported: OldUser
) -> None:
    token = sign_in_as_before(old_client, imported.email)

    found = verify(old_client, token).get_json()

    assert (found["token"], found["sub"]) == (token, str(imported.id))
    assert (found["user"]["pk"], found["user"]["email"]) == (imported.id, imported.email)


def test_the_token_of_an_api_key_is_verified_without_a_user_and_not_renewed(legacy_app: Flask) -> None:
    client, email = legacy_app.test_client(), "keys@example.com"
    user_id = make_user(legacy_app, email=email)
    owner = ApiUser(client, user_id, email, PASSWORD, {"access_token": sign_in_as_before(client, email)})
    token = client.post(OBTAIN, json={"api_key": create_key(owner, "users").key}).get_json()["token"]

    assert "user" not in verify(client, token).get_json()
    assert refresh(client, token).status_code == 400


@pytest.mark.parametrize("path", [OBTAIN, LOGIN])
def test_wrong_credentials_are_400_and_of_no_field(old_client: FlaskClient, imported: OldUser, path: str) -> None:
    response = old_client.post(path, json={"email": imported.email, "password": "wrong"})

    assert (response.status_code, "WWW-Authenticate" in response.headers) == (400, False)
    problem = response.get_json()
    assert (problem["status"], problem["code"]) == (400, "invalid_credentials")
    assert problem["non_field_errors"] == [problem["detail"]]


def test_errors_of_fields_are_also_at_the_top(old_client: FlaskClient) -> None:
    response = old_client.post(USERS, json=new_user(email="none", profile={"title": "Ms"}))

    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (400, "validation_failed")
    assert problem["email"] == problem["errors"]["email"]
    assert problem["profile"] == problem["errors"]["profile"]
    assert problem["status"] == 400


def test_a_malformed_body_is_an_error_of_no_field(old_client: FlaskClient) -> None:
    response = old_client.post(OBTAIN, data="{", content_type="application/json")

    assert response.get_json()["non_field_errors"] == [response.get_json()["detail"]]


def test_other_errors_have_their_detail_as_before(old_client: FlaskClient) -> None:
    assert set(old_client.get(ME).get_json()) == {"type", "title", "status", "detail", "code"}


def test_a_weak_password_is_also_an_error_of_its_repetition(old_client: FlaskClient, imported: OldUser) -> None:
    headers = with_token(sign_in_as_before(old_client, imported.email))
    sent = {"old_password": PASSWORD, "new_password1": "12345678", "new_password2": "12345678"}

    problem = old_client.post(CHANGE, json=sent, headers=headers).get_json()

    assert problem["new_password2"] == problem["new_password1"] == problem["errors"]["new_password1"] != []


@pytest.mark.parametrize("operation", [verify, refresh])
@pytest.mark.parametrize("token", ["nonsense", "eyJhbGciOiJub25lIn0.e30.", "a.b.c"])
def test_an_invalid_token_in_a_body_is_400(
    old_client: FlaskClient, operation: Callable[[FlaskClient, str], Any], token: str
) -> None:
    response = operation(old_client, token)

    assert (response.status_code, response.get_json()["code"]) == (400, "token_invalid")
    assert response.get_json()["non_field_errors"] == [response.get_json()["detail"]]


def test_an_invalid_token_in_the_header_is_401(old_client: FlaskClient, imported: OldUser) -> None:
    for token in ("nonsense", imported.token()):
        response = old_client.get(ME, headers=with_token(token))

        assert (response.status_code, response.get_json()["code"]) == (401, "token_invalid")


def test_signing_out_succeeds_with_and_without_credentials(old_client: FlaskClient, imported: OldUser) -> None:
    headers = with_token(sign_in_as_before(old_client, imported.email))

    assert [old_client.post(LOGOUT, headers=sent).status_code for sent in (headers, {})] == [200, 200]
    assert old_client.get(ME, headers=headers).status_code == 401
    assert old_client.post(LOGOUT, headers=headers).status_code == 401


def test_clients_of_this_service_are_served_as_before(old_client: FlaskClient, imported: OldUser) -> None:
    pair = old_client.post(OBTAIN, json={"email": imported.email, "password": PASSWORD}).get_json()

    renewed = old_client.post(REFRESH, json={"refresh_token": pair["refresh_token"]})
    wrong = old_client.post(REFRESH, json={"refresh_token": "nonsense"})

    assert set(renewed.get_json()) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert wrong.status_code == 401


def test_paths_and_queries_with_another_format_say_what_to_do(old_client: FlaskClient, imported: OldUser) -> None:
    headers = with_token(sign_in_as_before(old_client, imported.email))

    in_query = old_client.get(f"{ME}?format=xml", headers=headers)
    in_path = old_client.get("/userapi/users.json", headers=headers)

    assert (in_query.status_code, "?format=json" in in_query.get_json()["detail"]) == (406, True)
    assert (in_path.status_code, "Omit the ending" in in_path.get_json()["detail"]) == (404, True)
    assert old_client.get(f"{ME}?format=json", headers=headers).status_code == 200


def test_passwords_are_changed_only_with_the_current_one(old_client: FlaskClient, imported: OldUser) -> None:
    headers = with_token(sign_in_as_before(old_client, imported.email))
    new = {"new_password1": "copper kettle upstairs 4", "new_password2": "copper kettle upstairs 4"}

    without = old_client.post(CHANGE, json=new, headers=headers)
    put = old_client.put(f"{USERS}{imported.id}/", json={"password": "x", "email": imported.email}, headers=headers)

    assert (without.status_code, put.status_code) == (400, 400)
    assert without.get_json()["old_password"] == ["Send your current password as old_password."]
    assert "/userapi/auth/password/change/" in put.get_json()["password"][0]
