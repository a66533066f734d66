"""Invitations to organisations: a link by email that only the invited user can use, once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from organisations import queries

from tests.organisations.conftest import Found, Invite
from tests.support.api_client import ApiUser
from tests.support.race import run_simultaneously
from tests.support.staff_client import ACCEPT_HTML, StaffClient, sign_in_with_cookies
from userapi.core.db import db

ACCEPT = "/userapi/organisations/invitations/accept/"


def page_of(token: str) -> str:
    return f"/organisations/invitations/{token}/"


@pytest.fixture
def invited(app: Flask, user: ApiUser, other_user: ApiUser, found: Found, invite: Invite) -> tuple[StaffClient, str]:
    """A browser of the invited user, and the token of the link."""
    token = invite(user, found(user), other_user.email.upper())
    return sign_in_with_cookies(app, other_user.id), token


def is_member(user: ApiUser) -> bool:
    return bool(user.get("/userapi/organisations/").get_json())


@pytest.mark.both
def test_opening_the_link_changes_nothing_and_its_button_joins(
    invited: tuple[StaffClient, str], other_user: ApiUser
) -> None:
    browser, token = invited
    for _attempt in range(2):
        page = browser.get(page_of(token))
        assert (page.status_code, "Do you want to join Example Ltd?" in page.text) == (200, True)
        assert not is_member(other_user)

    joined = browser.post(page_of(token))

    assert (joined.status_code, joined.location) == (303, "/organisations/")
    assert "Example Ltd" in browser.get("/organisations/").text
    assert browser.post(page_of(token)).status_code == 400


def test_a_visitor_signs_in_first(client: FlaskClient, invited: tuple[StaffClient, str]) -> None:
    response = client.get(page_of(invited[1]), headers=ACCEPT_HTML)

    assert (response.status_code, response.location) == (303, f"/login/?next={page_of(invited[1])}")


def test_the_button_needs_the_csrf_token(invited: tuple[StaffClient, str], other_user: ApiUser) -> None:
    browser, token = invited

    assert browser.post(page_of(token), csrf=False).status_code == 403
    assert not is_member(other_user)


def test_only_the_invited_user_can_use_the_link(app: Flask, invited: tuple[StaffClient, str], user: ApiUser) -> None:
    browser = sign_in_with_cookies(app, user.id)

    for response in (browser.get(page_of(invited[1])), browser.post(page_of(invited[1]))):
        assert (response.status_code, "Example Ltd" in response.text) == (400, False)
    assert user.post(ACCEPT, json={"token": invited[1]}).get_json()["code"] == "invalid_invitation"
    assert (
        browser.client.post(ACCEPT, json={"token": "x" * 43}, headers={"X-CSRF-TOKEN": browser.csrf}).status_code == 400
    )
    assert invited[0].get(page_of(invited[1])).status_code == 200


def withdraw(app: Flask, user: ApiUser, path: str, _invite: Invite) -> None:
    number = user.get(path).get_json()[0]["id"]
    assert user.delete(f"{path}{number}/").status_code == 204


def expire(app: Flask, _user: ApiUser, _path: str, _invite: Invite) -> None:
    with app.app_context():
        moment = datetime.now(UTC) - timedelta(seconds=1)
        db.session.execute(
            sa.text("UPDATE organisations_invitations SET expires_at = :moment").bindparams(
                sa.bindparam("moment", moment.replace(tzinfo=None), sa.DateTime)
            )
        )
        db.session.commit()


def replace(_app: Flask, user: ApiUser, path: str, invite: Invite) -> None:
    email = user.get(path).get_json()[0]["email"]
    invite(user, int(path.split("/")[3]), email)


@pytest.mark.parametrize("end", [withdraw, expire, replace])
def test_a_link_that_ended_is_invalid(
    app: Flask, user: ApiUser, other_user: ApiUser, found: Found, invite: Invite, end: Callable[..., None]
) -> None:
    number = found(user)
    token = invite(user, number, other_user.email)

    end(app, user, f"/userapi/organisations/{number}/invitations/", invite)
    response = other_user.post(ACCEPT, json={"token": token})

    assert (response.status_code, response.get_json()["code"]) == (400, "invalid_invitation")
    assert not is_member(other_user)


def demote(app: Flask, owner: ApiUser, number: int, inviter_id: int) -> None:
    assert (
        owner.patch(f"/userapi/organisations/{number}/members/{inviter_id}/", json={"role": "member"}).status_code < 300
    )


def remove(app: Flask, owner: ApiUser, number: int, inviter_id: int) -> None:
    assert owner.delete(f"/userapi/organisations/{number}/members/{inviter_id}/").status_code == 204


@pytest.mark.parametrize("end", [demote, remove])
@pytest.mark.parametrize("role", ["owner", "member"])
def test_an_invitation_of_someone_who_may_not_invite_any_more_is_invalid(
    app: Flask,
    user: ApiUser,
    other_user: ApiUser,
    found: Found,
    invite: Invite,
    join: Callable[..., None],
    superuser: ApiUser,
    role: str,
    end: Callable[..., None],
) -> None:
    number = found(user)
    join(user, number, other_user, role="owner")
    token = invite(other_user, number, superuser.email, role)

    end(app, user, number, other_user.id)
    response = superuser.post(ACCEPT, json={"token": token})

    assert (response.status_code, response.get_json()["code"]) == (400, "invalid_invitation")
    assert not is_member(superuser)


def test_a_member_does_not_use_up_an_invitation(
    app: Flask, user: ApiUser, other_user: ApiUser, found: Found, invite: Invite
) -> None:
    number = found(user)
    token = invite(user, number, other_user.email, "admin")
    with app.app_context():
        queries.add_membership(number, other_user.id, "member", datetime.now(UTC))
        db.session.commit()

    response = other_user.post(ACCEPT, json={"token": token})
    page = sign_in_with_cookies(app, other_user.id).post(page_of(token))

    assert (response.status_code, response.get_json()["code"], page.status_code) == (409, "already_member", 409)
    assert len(user.get(f"/userapi/organisations/{number}/invitations/").get_json()) == 1


@pytest.mark.parametrize("email", ["", "nowhere", "a b@example.com", "a@example.com\x00", 7])
def test_an_invalid_email_is_not_invited(user: ApiUser, found: Found, email: Any) -> None:
    response = user.post(f"/userapi/organisations/{found(user)}/invitations/", json={"email": email})

    assert (response.status_code, list(response.get_json()["errors"])) == (400, ["email"])


def test_members_are_not_invited_again(user: ApiUser, found: Found) -> None:
    response = user.post(f"/userapi/organisations/{found(user)}/invitations/", json={"email": user.email.upper()})

    assert (response.status_code, response.get_json()["code"]) == (409, "already_member")


def test_an_organisation_cannot_send_any_number_of_emails(
    app: Flask, user: ApiUser, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("organisations.invitations.MAX_OPEN", 2)
    path = f"/userapi/organisations/{found(user)}/invitations/"
    statuses = [user.post(path, json={"email": f"new{number}@example.com"}).status_code for number in range(3)]

    assert statuses == [201, 201, 409]
    assert len(user.get(path).get_json()) == 2


def test_the_email_has_no_name_that_could_be_a_message(app: Flask, user: ApiUser, found: Found, invite: Invite) -> None:
    invite(user, found(user, "Win at www.evil.example"), "new@example.com")
    with app.app_context():
        sent: Any = db.session.execute(sa.text("SELECT text, html FROM messages ORDER BY id DESC LIMIT 1")).one()

    assert "evil" not in sent.text + sent.html
    assert "a member of an organisation entered your email" in " ".join(sent.text.split())


@pytest.mark.both
def test_one_of_two_requests_uses_an_invitation(
    app: Flask, user: ApiUser, other_user: ApiUser, found: Found, invite: Invite
) -> None:
    token = invite(user, found(user), other_user.email)

    calls = [lambda: other_user.post(ACCEPT, json={"token": token}).status_code] * 2
    responses = run_simultaneously(calls)

    assert sorted(responses) == [200, 400]


def test_invitations_to_a_deleted_user_are_deleted(
    app: Flask, superuser: ApiUser, user: ApiUser, other_user: ApiUser, found: Found, invite: Invite
) -> None:
    invite(user, found(user), other_user.email.upper())
    assert superuser.delete(f"/userapi/users/{other_user.id}/").status_code == 204

    with app.app_context():
        assert db.session.scalar(sa.text("SELECT count(*) FROM organisations_invitations")) == 0
