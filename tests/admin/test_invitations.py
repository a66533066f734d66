"""Users that staff add, with an invitation or a password, in the language that staff choose (F6)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import can_sign_in
from tests.support.email_inbox import Email, all_emails, emails_to
from tests.support.factories import make_user
from tests.support.form_browser import FormBrowser
from tests.support.staff_client import NEW_PASSWORD, StaffClient, staff_client, stored_value
from userapi.core import clock
from userapi.core.db import db
from userapi.users.models import OneTimeToken

ADD = "/admin/users/new/"
TWICE = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, first_name="Ada", last_name="Byron")


def invited(superuser: StaffClient, email: str = "guest@example.com", **fields: str) -> int:
    """Invite a user; return the id of the new account."""
    response = superuser.post(ADD, email=email, access="invite", **fields)
    assert response.status_code == 303, response.text
    return int(response.headers["Location"].rstrip("/").rpartition("/")[2])


def invitation(app: Flask, email: str = "guest@example.com") -> Email:
    return emails_to(app, email, "invitation")[-1]


def path_of(email: Email) -> str:
    return "/" + email.link.split("/", 3)[3]


def move_clock(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    then = clock.now() + passed
    monkeypatch.setattr("userapi.core.clock.now", lambda: then)


def actions(app: Flask, user_id: int) -> list[str]:
    with app.app_context():
        found = sa.text("SELECT action FROM audit_events WHERE target_id = :id ORDER BY id")
        return list(db.session.scalars(found, {"id": str(user_id)}))


def test_an_invitation_says_who_invites_and_is_no_password_reset(superuser: StaffClient) -> None:
    user_id = invited(superuser)

    email = invitation(superuser.app)
    assert [found.kind for found in all_emails(superuser.app)] == ["invitation"]
    assert email.subject == "You have been invited to accounts.example.com"
    assert email.link == f"http://accounts.example.com/invitation/{user_id}/{email.secret}/"
    for part in (email.text, email.html):
        assert "Ada Byron has created an account for you" in " ".join(part.split())
        assert "Reset" not in part
    assert stored_value(superuser.app, user_id, "password_hash") is None
    assert actions(superuser.app, user_id) == ["user.created", "user.invited"]


def test_accepting_an_invitation_sets_a_password_signs_in_and_confirms_the_email(superuser: StaffClient) -> None:
    user_id = invited(superuser)
    browser = FormBrowser(superuser.app)

    form = browser.get(path_of(invitation(superuser.app))).headers["Location"]
    done = browser.send(form, TWICE)

    assert done.headers["Location"] == "/account/"
    assert "Your password has been set and you are signed in." in browser.follow(done).text
    assert can_sign_in(superuser.app, "guest@example.com", NEW_PASSWORD)
    assert stored_value(superuser.app, user_id, "email_verified_at") is not None
    assert "invitation.accepted" in actions(superuser.app, user_id)
    assert emails_to(superuser.app, "guest@example.com", "password_changed") == []
    assert "already been accepted" in browser.get(path_of(invitation(superuser.app))).text


def test_a_weak_password_is_rejected_and_the_invitation_stays_valid(superuser: StaffClient) -> None:
    invited(superuser)
    browser = FormBrowser(superuser.app)
    form = browser.get(path_of(invitation(superuser.app))).headers["Location"]

    weak = browser.send(form, {"new_password1": "12345678", "new_password2": "12345678"})
    done = browser.send(form, TWICE)

    assert weak.status_code == 400
    assert "Contains only digits." in weak.text
    assert done.status_code == 303


def test_a_front_end_accepts_an_invitation_over_the_api(superuser: StaffClient) -> None:
    invited(superuser)
    email, client = invitation(superuser.app), superuser.app.test_client()
    body = {"uid": email.uid, "token": email.token, **TWICE}

    as_reset = client.post("/userapi/auth/password/reset/confirm/", json=body)
    accepted = client.post("/userapi/auth/invitation/accept/", json=body)
    again = client.post("/userapi/auth/invitation/accept/", json=body)

    assert (as_reset.status_code, as_reset.get_json()["code"]) == (400, "invalid_link")
    assert accepted.status_code == 200
    assert (again.status_code, again.get_json()["code"]) == (400, "invalid_link")
    assert can_sign_in(superuser.app, "guest@example.com", NEW_PASSWORD)


def test_a_password_together_with_an_invitation_is_rejected(superuser: StaffClient) -> None:
    both = superuser.post(
        ADD, email="guest@example.com", access="invite", password1=NEW_PASSWORD, password2=NEW_PASSWORD
    )
    neither = superuser.post(ADD, email="guest@example.com")

    assert [both.status_code, neither.status_code] == [400, 400]
    assert "You entered a password but chose to send an invitation." in both.text
    assert 'id="password1-error"' in both.text
    assert NEW_PASSWORD not in both.text
    assert "Choose how the user gets a password." in neither.text
    assert all_emails(superuser.app) == []


def test_the_page_of_an_invited_user_shows_the_expiry_and_sends_the_invitation_again(superuser: StaffClient) -> None:
    user_id = invited(superuser)
    first, path = invitation(superuser.app), f"/admin/users/{user_id}/"

    before = superuser.get(path).text
    response = superuser.post(f"{path}invite/")
    second = invitation(superuser.app)

    assert f"Invited on {clock.now():%-d %B %Y}" in before
    assert "expires on" in before
    assert response.status_code == 303
    assert first.link != second.link
    assert FormBrowser(superuser.app).get(path_of(first)).status_code == 400
    assert FormBrowser(superuser.app).get(path_of(second)).status_code == 303
    assert actions(superuser.app, user_id).count("user.invited") == 2


def test_an_expired_invitation_says_what_to_do(superuser: StaffClient) -> None:
    user_id = invited(superuser)
    with superuser.app.app_context():
        past = clock.now() - timedelta(minutes=1)
        db.session.execute(sa.update(OneTimeToken).values(expires_at=past))
        db.session.commit()

    expired = FormBrowser(superuser.app).get(path_of(invitation(superuser.app)))

    assert expired.status_code == 400
    assert "Ask the person who invited you to send a new invitation" in expired.text
    assert "The link expired on" in superuser.get(f"/admin/users/{user_id}/").text


def test_the_lifetime_of_an_invitation_is_a_setting(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    superuser = staff_client(make_app(INVITATION_LIFETIME="3600"), is_staff=True, is_superuser=True)
    invited(superuser)

    move_clock(monkeypatch, timedelta(minutes=59))
    in_time = FormBrowser(superuser.app).get(path_of(invitation(superuser.app)))
    move_clock(monkeypatch, timedelta(minutes=2))
    too_late = FormBrowser(superuser.app).get(path_of(invitation(superuser.app)))

    assert (in_time.status_code, too_late.status_code) == (303, 400)


def test_only_active_accounts_without_a_password_are_invited(superuser: StaffClient) -> None:
    has_password, inactive = make_user(superuser.app), make_user(superuser.app, password=None)
    superuser.post("/admin/users/act/", action="deactivate", user=inactive, confirmed="1")

    for user_id in (has_password, inactive):
        assert superuser.post(f"/admin/users/{user_id}/invite/").status_code == 303
    page = superuser.get(f"/admin/users/{has_password}/").text

    assert "already has a password" in page
    assert "is not active" in page
    assert "No password yet" not in page
    assert all_emails(superuser.app) == []


@pytest.mark.parametrize("how", ["invite by email", "set a password", "set a password by reset"])
def test_an_invitation_stops_working_once_there_is_a_password(superuser: StaffClient, how: str) -> None:
    user_id = invited(superuser)
    email = invitation(superuser.app)
    if how == "invite by email":
        superuser.post(
            f"/admin/users/{user_id}/", **{**superuser.form(f"/admin/users/{user_id}/"), "email": "new@example.com"}
        )
    elif how == "set a password":
        superuser.post(f"/admin/users/{user_id}/password/", password1=NEW_PASSWORD, password2=NEW_PASSWORD)
    else:
        client = superuser.app.test_client()
        client.post("/userapi/auth/password/reset/", json={"email": "guest@example.com"})
        reset = emails_to(superuser.app, "guest@example.com", "reset_password")[-1]
        body = {"uid": reset.uid, "token": reset.token, **TWICE}
        assert client.post("/userapi/auth/password/reset/confirm/", json=body).status_code == 200

    assert FormBrowser(superuser.app).get(path_of(email)).status_code == 400


def test_staff_choose_the_language_which_defaults_to_that_of_the_site(superuser: StaffClient) -> None:
    """The browser of the member of staff prefers German."""
    german = {"Accept-Language": "de"}
    default = superuser.post(ADD, email="jane@example.co.uk", access="invite", headers=german)
    french = superuser.post(ADD, email="jean@example.fr", access="invite", language="fr", headers=german)
    typed = {"access": "password", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    with_password = superuser.post(ADD, email="john@example.co.uk", headers=german, **typed)

    assert [response.status_code for response in (default, french, with_password)] == [303] * 3
    languages = {
        email: stored_value(superuser.app, int(response.headers["Location"].rstrip("/").rpartition("/")[2]), "language")
        for email, response in {"jane": default, "jean": french, "john": with_password}.items()
    }
    assert languages == {"jane": "en", "jean": "fr", "john": "en"}
    assert invitation(superuser.app, "jane@example.co.uk").subject.startswith("You have been invited")
    assert emails_to(superuser.app, "john@example.co.uk", "verify_email")[0].subject == "Confirm your email address"


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
    typed = {"access": "password", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    added = [superuser.post(ADD, email=f"new{n}@example.com", **typed).status_code for n in range(3)]

    assert added == [303] * 3


def test_inviting_requires_the_permission_to_change_users(app: Flask) -> None:
    reader = staff_client(app, is_staff=True, permissions=("view_user",))
    user_id = make_user(app, password=None)

    assert reader.post(f"/admin/users/{user_id}/invite/").status_code == 403
    assert "Send invitation" not in reader.get(f"/admin/users/{user_id}/").text
