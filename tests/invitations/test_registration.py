"""Who may open an account: REGISTRATION, the domains of emails, and the terms."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.invitations.conftest import INVITATIONS, OWN, Guest, Invite
from tests.support.api_client import ApiUser
from tests.support.app_config import app_config
from tests.support.factories import PASSWORD, new_user
from tests.support.form_browser import FormBrowser
from tests.support.sql import fetch_number, fetch_rows
from tests.support.staff_client import grant_permissions
from userapi.core.environment import ConfigurationError

USERS = "/userapi/users/"
TERMS = {"TERMS_VERSION": "2026-11", "TERMS_URL": "https://example.com/terms"}


def count_users(app: Flask) -> int:
    return fetch_number(app, "SELECT count(*) FROM users")


@pytest.mark.parametrize(
    ("mode", "text"), [("invited", "You need an invitation"), ("closed", "ask the people who run")]
)
def test_W77_no_door_opens_an_account(app: Flask, mode: str, text: str) -> None:
    app.config["REGISTRATION"] = mode
    client, browser = app.test_client(), FormBrowser(app)

    over_api = client.post(USERS, json=new_user(), headers={"Idempotency-Key": "0d9f6a52-3b7e-4c1d-a8f0-6e5b4c3d2a19"})
    assert (over_api.status_code, over_api.get_json()["code"]) == (403, "registration_closed")
    page = browser.get("/register/")
    assert text in page.text
    assert "<form" not in page.text.partition("<main")[2].partition("</main")[0]
    assert (
        browser.send("/register/", {"email": "x@example.com", "password": PASSWORD}, form_on="/login/").status_code
        == 403
    )
    for path in ("/", "/login/"):
        assert 'href="/register/"' not in browser.get(path).text
    assert count_users(app) == 0


def test_W77_closed_to_invitations_too(app: Flask, invite: Invite, guest: Guest, superuser: ApiUser) -> None:
    invitation = invite()
    app.config |= {"REGISTRATION": "closed", "INVITES_PER_USER": 5}

    answers = [
        guest.accept(),
        superuser.post(INVITATIONS, json={"email": "other@example.com"}),
        superuser.post(f"{INVITATIONS}{invitation['id']}/resend/"),
        superuser.post(OWN, json={"email": "other@example.com"}),
        guest.app.test_client().get(f"/invitation/{guest.token}/"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert count_users(app) == 1
    app.config["REGISTRATION"] = "invited"
    assert guest.accept().status_code == 201


def test_W77_staff_who_may_add_users_still_can(app: Flask, make_api_user: Any) -> None:
    app.config |= {"REGISTRATION": "closed", "REGISTRATION_EMAIL_DOMAINS": ("example.net",), **TERMS}
    adder = make_api_user(is_staff=True, joins_staff_group=False)
    viewer = make_api_user(is_staff=True, joins_staff_group=False)
    grant_permissions(app, adder.id, "add_user")
    grant_permissions(app, viewer.id, "view_user")

    assert adder.post(USERS, json=new_user()).status_code == 201
    assert viewer.post(USERS, json=new_user(terms_accepted=True)).status_code == 403


@pytest.mark.both
def test_only_addresses_of_listed_domains_register_and_change(
    app: Flask, inviter: ApiUser, superuser: ApiUser, guest: Guest
) -> None:
    app.config |= {"REGISTRATION_EMAIL_DOMAINS": ("corp.example",), "INVITES_PER_USER": 5}
    app.config["EMAIL_INTRANET_DOMAINS"] = ("example",)
    client = app.test_client()

    outside = client.post(USERS, json=new_user(email="wren@example.com"))
    lookalike = client.post(USERS, json=new_user(email="wren@notcorp.example"))
    inside = client.post(USERS, json=new_user(email="Wren@EU.Corp.Example"))
    moved = inviter.patch("/userapi/auth/user/", json={"email": "x@example.com", "current_password": PASSWORD})
    invited_by_user = inviter.post(OWN, json={"email": "x@example.com"})
    invited_by_staff = superuser.post(INVITATIONS, json={"email": guest.email})

    for rejected in (outside, lookalike, moved, invited_by_user):
        assert (rejected.status_code, rejected.get_json()["code"]) == (400, "email_domain_not_allowed")
        assert rejected.get_json()["errors"] == {
            "email": ["Use an email address of one of these domains: corp.example."]
        }
    assert (inside.status_code, invited_by_staff.status_code) == (201, 201)
    assert guest.accept().status_code == 201


@pytest.mark.both
@pytest.mark.parametrize("change", ["nothing", "deactivated", "deleted", "domains"])
def test_W77_an_invitation_by_a_user_opens_no_account_once_its_sender_could_not_invite(
    app: Flask, inviter: ApiUser, superuser: ApiUser, guest: Guest, change: str
) -> None:
    app.config |= {"REGISTRATION": "invited", "INVITES_PER_USER": 1}
    invitation = inviter.post(OWN, json={"email": guest.email}).get_json()
    token = guest.token  # the email is deleted with its sender
    if change == "deactivated":
        assert superuser.patch(inviter.url, json={"is_active": False}).status_code == 200
    elif change == "deleted":
        assert superuser.delete(inviter.url).status_code == 204
    elif change == "domains":
        app.config["REGISTRATION_EMAIL_DOMAINS"] = ("example.net",)

    page = app.test_client().get(f"/invitation/{token}/")
    accepted = guest.accept(token)
    again = superuser.post(f"{INVITATIONS}{invitation['id']}/resend/")

    expected: dict[str, tuple[int, int, str | None]] = {
        "nothing": (303, 201, None),
        "domains": (303, 400, "email_domain_not_allowed"),
    }
    assert (page.status_code, accepted.status_code, accepted.get_json().get("code")) == expected.get(
        change, (400, 400, "invalid_invitation")
    )
    assert again.status_code == (202 if change == "domains" else 409)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"REGISTRATION_EMAIL_DOMAINS": "example.com"}, "Set EMAIL_VERIFICATION=mandatory"),
        ({"TERMS_VERSION": "1"}, "TERMS_URL"),
        ({"TERMS_URL": "https://example.com/terms"}, "TERMS_VERSION"),
        ({"TERMS_VERSION": "1", "TERMS_URL": "javascript:alert(1)"}, "Not a URL"),
        ({"REGISTRATION": "Invited"}, "REGISTRATION"),
    ],
)
def test_settings_that_would_not_protect_are_rejected(key_folder: str, settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        app_config("sqlite:////nowhere/x.db", key_folder, **settings)


def test_terms_are_accepted_with_every_registration_and_kept(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(**TERMS)
    client, browser = app.test_client(), FormBrowser(app)

    both = client.post(USERS, json=new_user(password="12345678"))
    assert sorted(both.get_json()["errors"]) == ["password", "terms_accepted"]
    for value in ({}, {"terms_accepted": False}):
        rejected = client.post(USERS, json=new_user(**value))
        assert (rejected.status_code, rejected.get_json()["code"]) == (400, "validation_failed")
        assert list(rejected.get_json()["errors"]) == ["terms_accepted"]
    assert client.post(USERS, json=new_user(terms_accepted=True)).status_code == 201
    typed = {"email": "page@example.com", "password": PASSWORD}
    page = browser.send("/register/", typed)
    assert page.status_code == 400
    assert "Accept the terms to create an account." in page.text
    assert 'href="https://example.com/terms"' in page.text
    assert browser.send("/register/", {**typed, "terms_accepted": "true"}).headers["Location"] == "/register/profile/"

    rows = fetch_rows(app, "SELECT terms_version, terms_accepted_at FROM users")
    assert [(row.terms_version, row.terms_accepted_at is not None) for row in rows] == [("2026-11", True)] * 2
    described = client.get("/openapi.json").get_json()["components"]["schemas"]
    assert "terms_accepted" in described["NewUser"]["properties"]


def test_terms_are_accepted_with_an_invitation(app: Flask, invite: Invite, guest: Guest) -> None:
    app.config |= TERMS
    invite()

    rejected = guest.accept()
    accepted = guest.accept(terms_accepted=True)

    assert (rejected.status_code, rejected.get_json()["code"]) == (400, "validation_failed")
    assert accepted.status_code == 201
    (row,) = fetch_rows(app, "SELECT terms_version FROM users WHERE email = 'guest@example.com'")
    assert row.terms_version == "2026-11"


def test_without_terms_the_field_does_not_exist(app: Flask) -> None:
    unknown = app.test_client().post(USERS, json=new_user(terms_accepted=True))

    assert unknown.status_code == 400
    assert "terms_accepted" in unknown.get_json()["errors"]
    described = app.test_client().get("/openapi.json").get_json()["components"]["schemas"]
    assert "terms_accepted" not in described["NewUser"]["properties"]
    assert "terms" not in FormBrowser(app).get("/register/").text.lower().partition("<main")[2]
