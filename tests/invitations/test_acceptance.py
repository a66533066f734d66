"""Accepting an invitation: its newest link opens one account."""

import pytest
from flask import Flask

from tests.invitations.conftest import ACCEPT, GUEST, GUEST_ACCOUNTS, INVITATIONS, Guest, Invite
from tests.support.api_client import ApiUser
from tests.support.email_inbox import all_emails
from tests.support.factories import PROFILE
from tests.support.race import run_simultaneously
from tests.support.sql import execute_sql, fetch_number
from userapi.core import clock


def test_W76_acceptance_confirms_that_address_and_no_other(invite: Invite, guest: Guest) -> None:
    invite()

    with_another = guest.accept(email="mallory@example.com")
    assert with_another.status_code == 400
    assert "email" in with_another.get_json()["errors"]
    user = guest.accept().get_json()

    assert (user["email"], user["email_verified"]) == (GUEST, True)
    assert [email.kind for email in all_emails(guest.app)] == ["invitation"]


@pytest.mark.both
@pytest.mark.parametrize("how", ["accepted", "revoked", "replaced", "sent again", "expired", "invented"])
def test_W73_invitations_that_cannot_be_accepted_get_one_answer(
    invite: Invite, guest: Guest, superuser: ApiUser, how: str
) -> None:
    invitation, token = invite(), guest.token
    if how == "accepted":
        assert guest.accept().status_code == 201
        execute_sql(guest.app, "UPDATE users SET email_key = 'other@example.com', email = 'other@example.com' "
                    "WHERE email_key = 'guest@example.com'")  # fmt: skip
    elif how == "revoked":
        assert superuser.delete(f"{INVITATIONS}{invitation['id']}/").status_code == 204
    elif how == "replaced":
        assert invite(GUEST.upper())["id"] == invitation["id"]
    elif how == "sent again":
        assert superuser.post(f"{INVITATIONS}{invitation['id']}/resend/").status_code == 202
    elif how == "expired":
        execute_sql(guest.app, "UPDATE invitations SET expires_at = :past", past=clock.now().replace(tzinfo=None))
    else:
        token = "x" * 43

    answer = guest.accept(token)

    assert answer.status_code == 400
    assert answer.get_json() == {
        "type": "about:blank", "title": "Invalid invitation", "status": 400, "code": "invalid_invitation",
        "detail": "This invitation is no longer valid: it has expired, has been accepted or revoked, or was replaced "
        "by a newer one. Ask for a new invitation.",
    }  # fmt: skip


@pytest.mark.both
def test_W73_of_eight_requests_with_one_token_one_opens_the_account(invite: Invite, guest: Guest) -> None:
    invite()
    token = guest.token

    answers = run_simultaneously([lambda: guest.accept(token).get_json().get("code", "opened")] * 8)

    assert sorted(answers) == ["invalid_invitation"] * 7 + ["opened"]
    assert fetch_number(guest.app, GUEST_ACCOUNTS) == 1


@pytest.mark.both
@pytest.mark.slow
@pytest.mark.usefixtures("served_by_two_workers")
def test_W73_one_token_opens_one_account_on_two_workers(invite: Invite, guest: Guest) -> None:
    invite()
    token = guest.token

    answers = run_simultaneously([lambda: guest.accept(token).status_code] * 6)

    assert sorted(answers) == [201] + [400] * 5
    assert fetch_number(guest.app, GUEST_ACCOUNTS) == 1


def test_W73_a_rejected_password_leaves_the_invitation_valid(invite: Invite, guest: Guest) -> None:
    invite()

    weak = guest.accept(password="12345678")

    assert (weak.status_code, weak.get_json()["code"]) == (400, "weak_password")
    assert guest.accept().status_code == 201


def test_fields_that_the_inviter_gave_are_filled_in(invite: Invite, guest: Guest) -> None:
    invite(profile={"city": "Bath", "title": "Ms"})

    missing = guest.accept()
    rest = {name: value for name, value in PROFILE.items() if name not in ("city", "title")}
    user = guest.accept(profile=rest).get_json()

    assert missing.status_code == 400
    assert sorted(missing.get_json()["errors"]["profile"]) == ["address", "country", "dob", "zip"]
    assert (user["profile"]["city"], user["profile"]["title"], user["profile"]["zip"]) == ("Bath", "Ms", "BA2 4")


def test_anyone_may_send_a_token_and_only_guesses_are_limited(app: Flask, invite: Invite, guest: Guest) -> None:
    app.config["RATELIMIT_ENABLED"] = True
    invite()

    answers = [guest.accept("x" * 43).status_code for _ in range(21)]

    assert answers == [400] * 20 + [429]
    assert app.test_client().post(ACCEPT, json={"token": guest.token}).status_code == 400  # without a password
