"""Invitations on the staff site, and users whom staff add with a password."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.clocks import move_clock
from tests.support.email_inbox import Email, all_emails, emails_to
from tests.support.factories import PASSWORD, make_user
from tests.support.form_browser import FormBrowser
from tests.support.sql import fetch_number, fetch_rows
from tests.support.staff_client import NEW_PASSWORD, StaffClient, staff_client, stored_value
from userapi.core.db import db
from userapi.users import groups
from userapi.users.permissions import OPERATOR

ADD = "/admin/users/new/"
LIST = "/admin/invitations/"
NEW = f"{LIST}new/"
GUEST = "guest@example.com"


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, first_name="Ada", last_name="Byron")


def invite(staff: StaffClient, email: str = GUEST, **fields: str) -> int:
    """Invite someone; return the id of the invitation."""
    response = staff.post(NEW, email=email, **fields)
    assert response.status_code == 303, response.text
    return int(fetch_rows(staff.app, "SELECT max(id) FROM invitations")[0][0])


def invitation(app: Flask, email: str = GUEST) -> Email:
    return emails_to(app, email, "invitation")[-1]


def open_link(app: Flask, email: Email) -> int:
    return FormBrowser(app).get("/" + email.link.split("/", 3)[3]).status_code


def test_the_email_says_who_invites_and_there_is_no_account(superuser: StaffClient) -> None:
    invite(superuser, first_name="Wren", message="See you on Monday!")

    (email,) = all_emails(superuser.app)
    assert email.subject == "You have been invited to accounts.example.com"
    for part in (email.text, email.html):
        assert "Ada Byron has invited you" in " ".join(part.split())
        assert "Hello Wren," in part
        assert "See you on Monday!" in part
        assert "Reset" not in part
    assert fetch_number(superuser.app, "SELECT count(*) FROM users") == 1


def test_the_list_shows_states_and_sends_again_and_revokes(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = invite(superuser, "first@example.com"), invite(superuser, "second@example.com")
    old = invitation(superuser.app, "first@example.com")

    assert superuser.post(f"{LIST}{first}/resend/").status_code == 303
    assert superuser.post(f"{LIST}{second}/revoke/").status_code == 303
    page = superuser.get(LIST).text

    assert "The invitation was revoked." in page
    assert (page.count("Pending</span>"), page.count("Revoked</span>")) == (1, 1)
    assert page.count(f"{LIST}{first}/resend/") == 1
    assert f"{LIST}{second}/resend/" not in page
    assert open_link(superuser.app, old) == 400
    assert open_link(superuser.app, invitation(superuser.app, "first@example.com")) == 303
    ended = superuser.post(f"{LIST}{second}/resend/")
    assert "has been accepted or revoked" in superuser.get(ended.headers["Location"]).text
    assert "second@example.com" not in superuser.get(f"{LIST}?state=pending").text


def test_only_an_invitation_that_was_sent_before_says_that_earlier_links_are_void(superuser: StaffClient) -> None:
    number = invite(superuser)
    first = superuser.get(LIST).text
    superuser.post(f"{LIST}{number}/resend/")
    again = superuser.get(LIST).text
    invite(superuser)

    assert f"An invitation was sent to {GUEST}.<" in first
    for page in (again, superuser.get(LIST).text):
        assert f"An invitation was sent to {GUEST}. Earlier links no longer work." in page


def test_an_expired_invitation_says_what_to_do(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    invite(superuser)
    email = invitation(superuser.app)

    move_clock(monkeypatch, timedelta(days=7, seconds=1))
    expired = FormBrowser(superuser.app).get("/" + email.link.split("/", 3)[3])

    assert expired.status_code == 400
    assert "Ask the person who invited you to send a new invitation" in expired.text


def test_the_lifetime_of_an_invitation_is_a_setting(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    superuser = staff_client(make_app(INVITATION_LIFETIME="3600"), is_staff=True, is_superuser=True)
    invite(superuser)

    move_clock(monkeypatch, timedelta(minutes=59))
    in_time = open_link(superuser.app, invitation(superuser.app))
    move_clock(monkeypatch, timedelta(minutes=2))
    too_late = open_link(superuser.app, invitation(superuser.app))

    assert (in_time, too_late) == (303, 400)


def test_staff_choose_the_language_which_defaults_to_that_of_the_site(superuser: StaffClient) -> None:
    """The browser of the member of staff prefers German."""
    german = {"Accept-Language": "de"}
    assert 'value="en" lang="en" selected' in superuser.get(NEW, headers=german).text
    superuser.post(NEW, email="jane@example.co.uk", headers=german)
    superuser.post(NEW, email="jean@example.fr", language="fr", headers=german)
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    added = superuser.post(ADD, email="john@example.co.uk", headers=german, **typed)

    languages = fetch_rows(superuser.app, "SELECT language FROM invitations ORDER BY id")
    assert [row.language for row in languages] == [None, "fr"]
    assert invitation(superuser.app, "jane@example.co.uk").subject.startswith("You have been invited")
    user_id = int(added.headers["Location"].rstrip("/").rpartition("/")[2])
    assert stored_value(superuser.app, user_id, "language") == "en"
    assert emails_to(superuser.app, "john@example.co.uk", "verify_email")[0].subject == "Confirm your email address"


def test_groups_need_a_recent_proof_and_their_permissions(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    with app.app_context():
        groups.create("Support", [], by=OPERATOR)
        db.session.commit()
    inviter = staff_client(app, is_staff=True, permissions=("add_user",))

    assert "Support" in superuser.get(NEW).text
    assert "Support" not in inviter.get(NEW).text
    rejected = inviter.post(NEW, email=GUEST, groups="Support")
    app.config["FRESH_PROOF_LIFETIME"] = -60
    unproved = superuser.post(NEW, email=GUEST, groups="Support")
    app.config["FRESH_PROOF_LIFETIME"] = 900

    assert rejected.status_code == 403
    assert unproved.status_code == 403
    assert all_emails(app) == []
    assert superuser.post(NEW, email=GUEST, groups="Support").status_code == 303
    assert "Support" in superuser.get(LIST).text


def test_inviting_requires_the_permission_to_add_users(app: Flask) -> None:
    reader = staff_client(app, is_staff=True, permissions=("view_user", "change_user"))

    assert [reader.get(LIST).status_code, reader.post(NEW, email=GUEST).status_code] == [403, 403]
    assert LIST not in reader.get("/admin/users/").text


def test_links_that_were_sent_before_invitations_were_rows_still_set_a_password(app: Flask) -> None:
    user_id = make_user(app, email=GUEST, password=None)
    app.test_client().post("/userapi/auth/password/reset/", json={"email": GUEST})
    token = emails_to(app, GUEST, "reset_password")[-1].token
    with app.app_context():
        db.session.connection().exec_driver_sql("UPDATE one_time_tokens SET purpose = 'invitation'")
        db.session.commit()
    browser = FormBrowser(app)

    moved = browser.get(f"/invitation/{user_id}/{token}/")
    form = browser.follow(moved).headers["Location"]
    done = browser.send(form, {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD})

    assert done.status_code == 303
    assert stored_value(app, user_id, "password_hash") is not None


def test_the_staff_form_changes_the_language_of_a_user(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, language="de")
    path = f"/admin/users/{user_id}/"

    assert '<option value="de" lang="de" selected>' in superuser.get(path).text
    superuser.post(path, **{**superuser.form(path), "language": "ar"})
    changed = stored_value(superuser.app, user_id, "language")
    rejected = superuser.post(path, **{**superuser.form(path), "language": "tlh"})

    assert changed == "ar"
    assert rejected.status_code == 400
    assert 'id="language-error"' in rejected.text


def test_accounts_added_by_staff_do_not_count_towards_the_registration_limit(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_REGISTRATION="1 per hour")
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    typed = {"password1": PASSWORD, "password2": PASSWORD}

    added = [superuser.post(ADD, email=f"new{n}@example.com", **typed).status_code for n in range(3)]

    assert added == [303] * 3
