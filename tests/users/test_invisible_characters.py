"""Invisible characters are removed around a pasted email, and rejected where a name has no others."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, PROFILE, make_user, new_user
from tests.support.second_factors import FACTORS, prove, set_up_app
from tests.support.sql import fetch_number
from tests.support.staff_client import sign_in_with_cookies, staff_client

USERS = "/userapi/users/"

AROUND = ("\u00a0", "\u200b", "\ufeff", "\t", "\n", "\r\n", "\u2003", "\u200e", "\u2060", "\u00ad", " \t\u00a0 ")

NOTHING_VISIBLE = (
    " ",
    "\u00a0",
    "\u200b",
    "\u200b\u200d",
    "\ufeff",
    "\u3164",
    "\u2800",
    "\u115f",
    "\u2066\u2069",
    "\u034f\ufe0f",
)

DIRECTION_CONTROLS = ("\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069")


@pytest.mark.parametrize("around", AROUND)
def test_invisible_characters_around_an_email_are_removed(
    app: Flask, client: FlaskClient, user: ApiUser, around: str
) -> None:
    for pasted in (f"{around}{user.email}", f"{user.email}{around}", f"{around}{user.email}{around}"):
        for name in ("email", "username"):
            signed_in = client.post("/api-token-auth/", json={name: pasted, "password": PASSWORD})
            assert signed_in.status_code == 200, repr(pasted)
        taken = client.post(USERS, json=new_user(email=pasted))
        assert taken.get_json()["code"] == "email_taken"
    registered = client.post(USERS, json=new_user(email=f"{around}pasted@example.com{around}"))
    assert registered.get_json()["email"] == "pasted@example.com"
    form = client.post("/api-token-auth/", data={"email": f"{user.email}{around}", "password": PASSWORD})
    assert form.status_code == 200


def test_other_forms_with_an_email_remove_them_too(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    response = client.post("/userapi/auth/password/reset/", json={"email": f"\u00a0{user.email}\u200b"})

    assert response.status_code == 200
    assert len(emails_to(app, user.email, "reset_password")) == 1


@pytest.mark.parametrize(
    "email", ["a\u200bb@example.com", "a@exa\u00a0mple.com", "a\tb@example.com", "\x00a@example.com", "\u200b"]
)
def test_rejects_invisible_characters_inside_an_email(client: FlaskClient, email: str) -> None:
    response = client.post(USERS, json=new_user(email=email))

    assert (response.status_code, list(response.get_json()["errors"])) == (400, ["email"])


@pytest.mark.parametrize("field", ["first_name", "last_name", "username"])
def test_a_name_needs_a_visible_character(client: FlaskClient, user: ApiUser, field: str) -> None:
    for text in NOTHING_VISIBLE:
        registered = client.post(USERS, json=new_user(**{field: text}))
        edited = user.patch(user.url, json={field: text})
        assert (registered.status_code, list(registered.get_json()["errors"])) == (400, [field]), repr(text)
        assert edited.status_code == 400, repr(text)
    assert user.patch(user.url, json={field: ""}).status_code == 200
    for text in ("ا", "字", "é", "🦉", "\uf8ff", "x\u3000y"):
        assert user.patch(user.url, json={field: text}).status_code == 200, repr(text)


@pytest.mark.parametrize("field", ["first_name", "last_name", "username"])
@pytest.mark.parametrize("control", DIRECTION_CONTROLS)
def test_rejects_a_name_that_changes_the_text_direction(
    client: FlaskClient, user: ApiUser, field: str, control: str
) -> None:
    text = f"Ada{control}gnp.exe"

    registered = client.post(USERS, json=new_user(**{field: text}))

    assert (registered.status_code, list(registered.get_json()["errors"])) == (400, [field])
    assert user.patch(user.url, json={field: text}).status_code == 400
    for shaped in ("می\u200cخواهم", "\u200fعلي", "क्\u200dष"):
        assert user.patch(user.url, json={"first_name": shaped}).status_code == 200, repr(shaped)


@pytest.mark.parametrize("field", ["title", "address", "country", "city", "zip"])
def test_rejects_profile_fields_that_change_the_text_direction(client: FlaskClient, user: ApiUser, field: str) -> None:
    for control in DIRECTION_CONTROLS:
        profile = {field: f"1{control}2"}
        registered = client.post(USERS, json=new_user(profile={**PROFILE, **profile}))
        edited = user.patch(user.url, json={"profile": profile})

        assert (registered.status_code, list(registered.get_json()["errors"]["profile"])) == (400, [field])
        assert edited.status_code == 400
    for mark in ("\u200e", "\u200f"):
        assert user.patch(user.url, json={"profile": {field: f"1{mark}2"}}).status_code == 200


@pytest.mark.parametrize("control", ["\u202e", "\u2066", "\x1b", "\u2028"])
def test_rejects_names_of_factors_and_groups_that_change_the_text_around_them(
    app: Flask, user: ApiUser, control: str
) -> None:
    text = f"Pay{control}ments"
    phone, _codes = set_up_app(app, user.id)
    prove(user, phone.code())
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    browser = sign_in_with_cookies(app, make_user(app, email_verified=True))

    over_api = [
        user.post(f"{FACTORS}totp/", json={"name": text}),
        user.patch(f"{FACTORS}totp/{phone.id}/", json={"name": text}),
        user.post(f"{FACTORS}passkeys/", json={"name": text, "credential": {}}),
        user.patch(f"{FACTORS}passkeys/{phone.id}/", json={"name": text}),
    ]

    for response in over_api:
        assert (response.status_code, list(response.get_json()["errors"])) == (400, ["name"]), response.text
    assert browser.post("/account/security/app/", name=text).status_code == 400
    assert superuser.post("/admin/groups/new/", name=text).status_code == 400
    assert app.test_cli_runner().invoke(args=["groups", "create", text]).exit_code == 1
    assert fetch_number(app, "SELECT count(*) FROM groups WHERE name LIKE 'Pay%'") == 0


def test_a_required_field_needs_a_visible_character(user: ApiUser) -> None:
    for text in NOTHING_VISIBLE:
        response = user.patch(user.url, json={"profile": {"city": text}})
        assert response.status_code == 400, repr(text)
