"""Invitations over the API: the link, the account that it opens, and what the inviter may give."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.invitations.conftest import GUEST, GUEST_ACCOUNTS, INVITATIONS, OWN, Guest, Invite
from tests.support.api_client import ApiUser, can_sign_in
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD, PROFILE, make_user
from tests.support.race import run_simultaneously
from tests.support.response_times import take_equally_long
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_client import grant_permissions
from userapi.core import clock
from userapi.core.db import db
from userapi.users import groups
from userapi.users.models import User
from userapi.users.permissions import OPERATOR


def make_group(app: Flask, name: str, *permissions: str) -> int:
    with app.app_context():
        listed = ", ".join(f"'{each}'" for each in permissions) or "''"
        ids = [row.id for row in fetch_rows(app, f"SELECT id FROM permissions WHERE code IN ({listed})")]
        group = groups.create(name, ids, by=OPERATOR)
        db.session.commit()
        return group.id


def groups_of(app: Flask, email: str = GUEST) -> list[str]:
    found = fetch_rows(
        app,
        "SELECT groups.name, users.email FROM groups JOIN user_groups ON group_id = groups.id "
        "JOIN users ON users.id = user_id ORDER BY groups.name",
    )
    return [row.name for row in found if row.email == email]


def make_inviter(app: Flask, make_api_user: Any, *permissions: str) -> ApiUser:
    inviter: ApiUser = make_api_user(is_staff=True, joins_staff_group=False)
    grant_permissions(app, inviter.id, "add_user", *permissions)
    return inviter


def test_staff_invite_and_the_guest_opens_the_account(invite: Invite, guest: Guest, superuser: ApiUser) -> None:
    invitation = invite("Guest@Example.com", first_name="Wren", message="See you on Monday!", language="de")
    guest.email = "Guest@Example.com"

    assert fetch_number(guest.app, GUEST_ACCOUNTS) == 0
    (email,) = guest.emails
    assert email.link == f"http://accounts.example.com/invitation/{guest.token}/"
    assert "See you on Monday!" in email.text
    assert "See you on Monday!" in email.html
    accepted = guest.accept(profile=PROFILE, last_name="Okafor")

    assert accepted.status_code == 201, accepted.text
    user = accepted.get_json()
    assert accepted.headers["Location"] == user["url"]
    assert (user["email"], user["first_name"], user["last_name"]) == ("Guest@Example.com", "Wren", "Okafor")
    assert (user["language"], user["profile"]["city"], user["is_staff"]) == ("de", PROFILE["city"], False)
    assert can_sign_in(guest.app, GUEST, PASSWORD)
    listed = superuser.get(INVITATIONS).get_json()["results"]
    assert [(each["id"], each["state"], each["user_id"]) for each in listed] == [
        (invitation["id"], "accepted", user["id"])
    ]


@pytest.mark.both
def test_W73_of_invitations_sent_at_the_same_time_the_newest_link_works(
    superuser: ApiUser, app: Flask, guest: Guest
) -> None:
    def send() -> int:
        return app.test_client().post(
            INVITATIONS, json={"email": GUEST}, headers=superuser.headers
        ).status_code  # fmt: skip

    assert run_simultaneously([send] * 4) == [201] * 4

    assert fetch_number(app, "SELECT count(*) FROM invitations") == 1
    answers = [guest.accept(email.token).status_code for email in guest.emails]
    assert sorted(answers) == [201, 400, 400, 400]


@pytest.mark.both
def test_W74_inviting_tells_nothing_about_existing_accounts(superuser: ApiUser, invite: Invite, app: Flask) -> None:
    make_user(app, email="known@example.com")

    known, unknown = invite("known@example.com"), invite("unknown@example.com")

    ignored = {"id", "url", "email", "created_at", "sent_at", "expires_at"}
    assert {name: known[name] for name in known.keys() - ignored} == {
        name: unknown[name] for name in unknown.keys() - ignored
    }
    assert [(email.recipient, email.kind) for email in all_emails(app)] == [
        ("known@example.com", "invitation_to_account"), ("unknown@example.com", "invitation"),
    ]  # fmt: skip
    to_known = all_emails(app)[0]
    assert "http://accounts.example.com/login/" in to_known.text
    assert to_known.secret is None
    states = superuser.get(INVITATIONS).get_json()["results"]
    assert [each["state"] for each in states] == ["pending", "pending"]
    assert take_equally_long(lambda: invite("known@example.com"), lambda: invite("unknown@example.com"))


@pytest.mark.both
@pytest.mark.parametrize("change", ["nothing", "lost one", "no longer staff", "deactivated", "deleted", "group grew"])
def test_W75_groups_are_given_as_far_as_the_inviter_still_may_give_them(
    app: Flask, make_api_user: Any, guest: Guest, superuser: ApiUser, change: str
) -> None:
    inviter = make_inviter(app, make_api_user, "change_user", "view_user", "view_event")
    make_group(app, "Support", "view_user")
    make_group(app, "Auditors", "view_event")
    invitation = {"email": GUEST, "groups": ["Support", "Auditors"]}
    assert inviter.post(INVITATIONS, json=invitation).status_code == 201
    if change == "lost one":
        execute_sql(app, "DELETE FROM user_permissions WHERE permission_id = "
                    "(SELECT id FROM permissions WHERE code = 'view_event')")  # fmt: skip
    elif change == "no longer staff":
        assert superuser.patch(inviter.url, json={"is_staff": False}).status_code == 200
    elif change == "deactivated":
        assert superuser.patch(inviter.url, json={"is_active": False}).status_code == 200
    elif change == "deleted":
        assert superuser.delete(inviter.url).status_code == 204
    elif change == "group grew":
        execute_sql(app, "INSERT INTO group_permissions (group_id, permission_id) SELECT groups.id, permissions.id "
                    "FROM groups, permissions WHERE groups.name = 'Auditors' AND code = 'delete_user'")  # fmt: skip

    assert guest.accept().status_code == 201

    given = {"nothing": ["Auditors", "Support"], "lost one": ["Support"], "group grew": ["Support"]}
    assert groups_of(app) == given.get(change, [])


def test_W75_no_one_gives_groups_beyond_their_own_permissions(app: Flask, make_api_user: Any) -> None:
    make_group(app, "Auditors", "view_event")
    without_change = make_inviter(app, make_api_user, "view_event")
    without_event = make_inviter(app, make_api_user, "change_user")

    for inviter in (without_change, without_event):
        rejected = inviter.post(INVITATIONS, json={"email": GUEST, "groups": ["Auditors"]})
        assert (rejected.status_code, rejected.get_json()["code"]) == (403, "permission_denied")
    unknown = without_change.post(INVITATIONS, json={"email": GUEST, "groups": ["Unknown"]})

    assert unknown.status_code == 400
    assert "groups" in unknown.get_json()["errors"]
    assert fetch_number(app, "SELECT count(*) FROM invitations") == 0
    assert all_emails(app) == []


def test_invitations_need_the_permission_to_add_users(app: Flask, user: ApiUser, make_api_user: Any) -> None:
    viewer = make_api_user(is_staff=True, joins_staff_group=False)
    grant_permissions(app, viewer.id, "view_user")

    for caller in (user, viewer):
        assert caller.get(INVITATIONS).status_code == 403
        assert caller.post(INVITATIONS, json={"email": GUEST}).status_code == 403
        assert caller.delete(f"{INVITATIONS}1/").status_code == 403
        assert caller.post(f"{INVITATIONS}1/resend/").status_code == 403


def test_an_invitation_is_revoked_once_and_cannot_be_sent_again(invite: Invite, superuser: ApiUser) -> None:
    path = f"{INVITATIONS}{invite()['id']}/"

    assert [superuser.delete(path).status_code for _ in range(2)] == [204, 204]
    again = superuser.post(f"{path}resend/")

    assert (again.status_code, again.get_json()["code"]) == (409, "invitation_ended")
    assert superuser.get(path).get_json()["state"] == "revoked"
    assert superuser.delete(f"{INVITATIONS}99/").status_code == 404
    actions = [row.action for row in fetch_rows(superuser.client.application, "SELECT action FROM audit_events "
               "WHERE target_kind = 'invitation' ORDER BY id")]  # fmt: skip
    assert actions == ["invitation.sent", "invitation.revoked"]


def test_an_expired_invitation_is_sent_again_with_a_new_link(
    invite: Invite, superuser: ApiUser, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{INVITATIONS}{invite()['id']}/"
    later = clock.now() + timedelta(days=7, seconds=1)
    monkeypatch.setattr("userapi.core.clock.now", lambda: later)
    superuser.tokens = superuser.client.post(
        "/api-token-auth/", json={"email": superuser.email, "password": superuser.password}
    ).get_json()

    before = superuser.get(path).get_json()["state"]
    resent = superuser.post(f"{path}resend/").get_json()

    assert (before, resent["state"]) == ("expired", "pending")
    assert guest.accept().status_code == 201


def test_the_list_of_invitations_has_pages_and_states(invite: Invite, superuser: ApiUser) -> None:
    ids = [invite(f"guest{number}@example.com")["id"] for number in range(3)]
    superuser.delete(f"{INVITATIONS}{ids[0]}/")

    first = superuser.get(f"{INVITATIONS}?limit=2").get_json()
    second = superuser.get(first["next"]).get_json()
    pending = superuser.get(f"{INVITATIONS}?state=pending").get_json()["results"]

    assert [each["id"] for each in first["results"] + second["results"]] == ids[::-1]
    assert second["next"] is None
    assert [each["id"] for each in pending] == [ids[2], ids[1]]


@pytest.mark.both
def test_users_invite_as_many_as_the_setting_allows(app: Flask, inviter: ApiUser) -> None:
    user = inviter
    closed = user.post(OWN, json={"email": GUEST})
    app.config["INVITES_PER_USER"] = 2

    def send(number: int) -> int:
        body = {"email": f"guest{number}@example.com"}
        return app.test_client().post(OWN, json=body, headers=user.headers).status_code

    answers = run_simultaneously([lambda n=number: send(n) for number in range(5)])  # type: ignore[misc]

    assert (closed.status_code, closed.get_json()["code"]) == (403, "users_may_not_invite")
    assert sorted(answers) == [201, 201, 409, 409, 409]
    own = user.get(OWN).get_json()
    assert (len(own["results"]), own["left"]) == (2, 0)
    assert send(int(own["results"][0]["email"][5])) == 201  # again: the link is replaced
    assert user.delete(f"{OWN}{own['results'][0]['id']}/").status_code == 204
    assert send(9) == 409  # a revoked one counts, or anyone could send without end


def test_users_whose_own_address_is_not_confirmed_cannot_invite(app: Flask, user: ApiUser) -> None:
    app.config["INVITES_PER_USER"] = 5

    rejected = user.post(OWN, json={"email": GUEST})

    assert (rejected.status_code, rejected.get_json()["code"]) == (409, "email_unverified")
    assert rejected.get_json()["detail"] == "Confirm your own email address before you invite others."
    assert (emails_to(app, GUEST), user.get(OWN).get_json()["results"]) == ([], [])


def test_users_cannot_touch_invitations_of_staff(app: Flask, inviter: ApiUser, invite: Invite, guest: Guest) -> None:
    user = inviter
    app.config["INVITES_PER_USER"] = 1
    invitation, token = invite(groups=[]), guest.token

    assert user.post(OWN, json={"email": GUEST}).status_code == 201
    assert user.post(OWN, json={"email": GUEST, "message": "Buy!"}).status_code == 400
    assert user.delete(f"{OWN}{invitation['id']}/").status_code == 404

    assert guest.accept(token).status_code == 201


def test_invitations_leave_nothing_of_a_deleted_user(
    app: Flask, invite: Invite, guest: Guest, superuser: ApiUser, make_api_user: Any
) -> None:
    inviter = make_inviter(app, make_api_user)
    with app.app_context():
        user = db.session.get_one(User, inviter.id)
        user.first_name, user.last_name = "Zora", "Quill"
        db.session.commit()
    inviter.post(INVITATIONS, json={"email": "other@example.com"})
    invite(first_name="Wren")
    user_id = guest.accept().get_json()["id"]
    invite("GUEST@example.com")  # to an account by now

    for url in (f"/userapi/users/{user_id}/", inviter.url):
        assert superuser.delete(url).status_code == 204

    stored = str(fetch_rows(app, "SELECT * FROM invitations")) + str(fetch_rows(app, "SELECT * FROM messages"))
    for trace in (GUEST, "GUEST", "Wren", "Zora Quill", inviter.email):
        assert trace not in stored
    assert "other@example.com" in stored


@pytest.mark.both
def test_ended_invitations_are_pruned_with_their_emails(
    app: Flask, invite: Invite, superuser: ApiUser, guest: Guest
) -> None:
    from userapi.invitations import deletion

    for number in range(3):
        invite(f"guest{number}@example.com")
    superuser.delete(f"{INVITATIONS}1/")
    ids = [row.id for row in fetch_rows(app, "SELECT id FROM invitations ORDER BY id")]
    past = (clock.now() - timedelta(days=8)).replace(tzinfo=None)
    execute_sql(app, "UPDATE messages SET created_at = :past", past=past)
    execute_sql(app, "UPDATE invitations SET revoked_at = :past WHERE id = :id", past=past, id=ids[0])
    with app.app_context():
        assert deletion.prune(clock.now() - timedelta(days=7)) == 1

    assert [email.recipient for email in all_emails(app)] == ["guest1@example.com", "guest2@example.com"]
    assert fetch_number(app, "SELECT count(*) FROM invitations") == 2
