"""The emails of invitations are deleted with what they are about, and with nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.invitations.conftest import INVITATIONS, OWN, Guest, Invite
from tests.support.api_client import ApiUser
from tests.support.factories import make_user
from tests.support.sql import execute_sql, fetch_rows
from userapi.core import clock
from userapi.core.db import db
from userapi.invitations import deletion
from userapi.users import accounts
from userapi.users.models import User

ME = "/userapi/auth/user/"
WEEK = timedelta(days=7)


def read_emails(app: Flask) -> str:
    return str([tuple(row) for row in fetch_rows(app, "SELECT recipient, text, html FROM messages ORDER BY id")])


def end(app: Flask, invitation_id: int) -> None:
    """Let an invitation and its emails be older than a week."""
    past = (clock.now() - WEEK - timedelta(days=1)).replace(tzinfo=None)
    execute_sql(app, "UPDATE invitations SET revoked_at = :past WHERE id = :id", past=past, id=invitation_id)
    execute_sql(app, "UPDATE messages SET created_at = :past", past=past)


def prune(app: Flask) -> None:
    with app.app_context():
        assert deletion.prune(clock.now() - WEEK) == 1
        db.session.commit()


@pytest.mark.both
@pytest.mark.parametrize("is_accepted", [True, False])
def test_emails_to_each_spelling_of_an_address_are_deleted_with_its_user(
    superuser: ApiUser, invite: Invite, guest: Guest, is_accepted: bool
) -> None:
    for guest.email in ("Guest@MÜNCHEN.example.com", "guest@xn--mnchen-3ya.example.com", "GUEST@münchen.example.com"):
        invite(guest.email, first_name="Wrenna")
    invite("guest@muenchen.example.com")
    user_id = guest.accept().get_json()["id"] if is_accepted else make_user(guest.app, email=guest.email)

    assert superuser.delete(f"/userapi/users/{user_id}/").status_code == 204

    assert [row.recipient for row in fetch_rows(guest.app, "SELECT recipient FROM messages")] == [
        "guest@muenchen.example.com"
    ]


@pytest.mark.parametrize("name", [("Mary", "O'Brien"), ("R&D", "Team"), ("", "")])
def test_the_name_of_a_deleted_inviter_is_in_no_part_of_an_email(
    app: Flask, make_api_user: Any, superuser: ApiUser, name: tuple[str, str]
) -> None:
    inviter = make_api_user(is_staff=True, email="mary.o'brien@example.com", first_name=name[0], last_name=name[1])
    assert inviter.post(INVITATIONS, json={"email": "other@example.com"}).status_code == 201
    assert "has invited you" in read_emails(app)

    assert superuser.delete(inviter.url).status_code == 204

    stored = read_emails(app).lower()
    assert "you have been invited to" in stored
    for trace in ("brien", "r&amp;d", "r&d"):
        assert trace not in stored


@pytest.mark.both
def test_W82_emails_of_a_deleted_user_who_invited_do_not_keep_an_earlier_name(app: Flask, make_api_user: Any) -> None:
    app.config["INVITES_PER_USER"] = 3
    make_user(app, email="has.account@example.com")
    other, inviter = (make_api_user(email_verified=True, first_name=name, last_name="") for name in ("Bo", "Zqmark"))
    for email in ("guest@example.com", "has.account@example.com", "accepts@example.com"):
        assert inviter.post(OWN, json={"email": email}).status_code == 201
    assert other.post(OWN, json={"email": "invited.by.another@example.com"}).status_code == 201
    assert Guest(app, "accepts@example.com").accept().status_code == 201
    assert read_emails(app).count("Zqmark has invited you") == 2 * 3
    inviter.patch(ME, json={"first_name": "Ann"})

    with app.app_context():
        accounts.delete(db.session.get_one(User, inviter.id))
        db.session.commit()

    assert "Zqmark" not in read_emails(app)
    assert "Bo has invited you" in read_emails(app)


@pytest.mark.both
@pytest.mark.parametrize("is_sent", [True, False], ids=["sent", "queued"])
def test_W82_emails_of_a_deleted_member_of_staff_keep_no_earlier_name_and_the_invitation_stays_valid(
    app: Flask, make_api_user: Any, superuser: ApiUser, guest: Guest, is_sent: bool
) -> None:
    make_user(app, email="has.account@example.com")
    inviter = make_api_user(is_staff=True, is_superuser=True, first_name="Zqmark", last_name="")
    for email in (guest.email, "has.account@example.com"):
        assert inviter.post(INVITATIONS, json={"email": email, "message": "See you!"}).status_code == 201
    token = guest.token
    inviter.patch(ME, json={"first_name": "Ann"})
    if is_sent:
        execute_sql(app, "UPDATE messages SET due_at = NULL, sent_at = created_at")

    assert superuser.delete(inviter.url).status_code == 204

    assert "Zqmark" not in read_emails(app)
    assert read_emails(app).count("See you!") == (0 if is_sent else 2 * 2)
    assert guest.accept(token if is_sent else guest.token).status_code == 201


@pytest.mark.both
def test_pruning_leaves_the_email_of_a_newer_invitation_to_the_same_address(
    superuser: ApiUser, invite: Invite, guest: Guest
) -> None:
    invitation = invite()
    superuser.delete(f"{INVITATIONS}{invitation['id']}/")
    end(guest.app, invitation["id"])
    invite()

    prune(guest.app)

    (email,) = guest.emails
    assert guest.accept(email.token).status_code == 201
