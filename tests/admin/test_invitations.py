"""People whom staff add: invited or with a password, in the language that staff choose (F6, point 7)."""

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
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, first_name="Ada", last_name="Byron")


def invited(boss: StaffClient, email: str = "guest@example.com", **fields: str) -> int:
    """Invite somebody; the id of the new account."""
    answer = boss.post(ADD, email=email, access="invite", **fields)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["Location"].rstrip("/").rpartition("/")[2])


def invitation(app: Flask, email: str = "guest@example.com") -> Email:
    return emails_to(app, email, "invitation")[-1]


def path_of(letter: Email) -> str:
    return "/" + letter.link.split("/", 3)[3]


def later(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    then = clock.now() + passed
    monkeypatch.setattr("userapi.core.clock.now", lambda: then)


def actions(app: Flask, user_id: int) -> list[str]:
    with app.app_context():
        found = sa.text("SELECT action FROM audit_events WHERE target_id = :id ORDER BY id")
        return list(db.session.scalars(found, {"id": str(user_id)}))


def test_an_invitation_says_who_invites_and_is_no_password_reset(boss: StaffClient) -> None:
    user_id = invited(boss)

    letter = invitation(boss.app)
    assert [found.kind for found in all_emails(boss.app)] == ["invitation"]
    assert letter.subject == "You have been invited to accounts.example.com"
    assert letter.link == f"http://accounts.example.com/invitation/{user_id}/{letter.secret}/"
    for part in (letter.text, letter.html):
        assert "Ada Byron has created an account for you" in " ".join(part.split())
        assert "Reset" not in part
    assert stored_value(boss.app, user_id, "password_hash") is None
    assert actions(boss.app, user_id) == ["user.created", "user.invited"]


def test_who_accepts_an_invitation_sets_a_password_and_is_signed_in_with_a_confirmed_email(boss: StaffClient) -> None:
    user_id = invited(boss)
    browser = FormBrowser(boss.app)

    form = browser.get(path_of(invitation(boss.app))).headers["Location"]
    done = browser.send(form, TWICE)

    assert done.headers["Location"] == "/account/"
    assert "Your password has been set and you are signed in." in browser.follow(done).text
    assert can_sign_in(boss.app, "guest@example.com", NEW_PASSWORD)
    assert stored_value(boss.app, user_id, "email_verified_at") is not None
    assert "invitation.accepted" in actions(boss.app, user_id)
    assert emails_to(boss.app, "guest@example.com", "password_changed") == []
    assert "already been accepted" in browser.get(path_of(invitation(boss.app))).text


def test_a_weak_password_is_refused_and_the_invitation_still_works(boss: StaffClient) -> None:
    invited(boss)
    browser = FormBrowser(boss.app)
    form = browser.get(path_of(invitation(boss.app))).headers["Location"]

    weak = browser.send(form, {"new_password1": "12345678", "new_password2": "12345678"})
    done = browser.send(form, TWICE)

    assert weak.status_code == 400
    assert "Contains only digits." in weak.text
    assert done.status_code == 303


def test_a_front_end_accepts_an_invitation_over_the_api(boss: StaffClient) -> None:
    invited(boss)
    letter, client = invitation(boss.app), boss.app.test_client()
    body = {"uid": letter.uid, "token": letter.token, **TWICE}

    as_reset = client.post("/userapi/auth/password/reset/confirm/", json=body)
    accepted = client.post("/userapi/auth/invitation/accept/", json=body)
    again = client.post("/userapi/auth/invitation/accept/", json=body)

    assert (as_reset.status_code, as_reset.get_json()["code"]) == (400, "invalid_link")
    assert accepted.status_code == 200
    assert (again.status_code, again.get_json()["code"]) == (400, "invalid_link")
    assert can_sign_in(boss.app, "guest@example.com", NEW_PASSWORD)


def test_a_password_beside_an_invitation_is_refused_and_not_dropped(boss: StaffClient) -> None:
    both = boss.post(ADD, email="guest@example.com", access="invite", password1=NEW_PASSWORD, password2=NEW_PASSWORD)
    neither = boss.post(ADD, email="guest@example.com")

    assert [both.status_code, neither.status_code] == [400, 400]
    assert "You entered a password but chose to send an invitation." in both.text
    assert 'id="password1-error"' in both.text
    assert NEW_PASSWORD not in both.text
    assert "Choose how the user gets a password." in neither.text
    assert all_emails(boss.app) == []


def test_the_page_of_an_invited_user_says_until_when_and_sends_it_again(boss: StaffClient) -> None:
    user_id = invited(boss)
    first, path = invitation(boss.app), f"/admin/users/{user_id}/"

    before = boss.get(path).text
    answer = boss.post(f"{path}invite/")
    second = invitation(boss.app)

    assert f"Invited on {clock.now():%-d %B %Y}" in before
    assert "expires on" in before
    assert answer.status_code == 303
    assert first.link != second.link
    assert FormBrowser(boss.app).get(path_of(first)).status_code == 400
    assert FormBrowser(boss.app).get(path_of(second)).status_code == 303
    assert actions(boss.app, user_id).count("user.invited") == 2


def test_an_expired_invitation_says_what_to_do(boss: StaffClient) -> None:
    user_id = invited(boss)
    with boss.app.app_context():
        past = clock.now() - timedelta(minutes=1)
        db.session.execute(sa.update(OneTimeToken).values(expires_at=past))
        db.session.commit()

    expired = FormBrowser(boss.app).get(path_of(invitation(boss.app)))

    assert expired.status_code == 400
    assert "Ask the person who invited you to send a new invitation" in expired.text
    assert "The link expired on" in boss.get(f"/admin/users/{user_id}/").text


def test_the_lifetime_of_an_invitation_is_a_setting(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = staff_client(make_app(INVITATION_LIFETIME="3600"), is_staff=True, is_superuser=True)
    invited(boss)

    later(monkeypatch, timedelta(minutes=59))
    in_time = FormBrowser(boss.app).get(path_of(invitation(boss.app)))
    later(monkeypatch, timedelta(minutes=2))
    too_late = FormBrowser(boss.app).get(path_of(invitation(boss.app)))

    assert (in_time.status_code, too_late.status_code) == (303, 400)


def test_only_active_accounts_without_a_password_are_invited(boss: StaffClient) -> None:
    has_password, inactive = make_user(boss.app), make_user(boss.app, password=None)
    boss.post("/admin/users/act/", action="deactivate", user=inactive, confirmed="1")

    for user_id in (has_password, inactive):
        assert boss.post(f"/admin/users/{user_id}/invite/").status_code == 303
    page = boss.get(f"/admin/users/{has_password}/").text

    assert "already has a password" in page
    assert "is not active" in page
    assert "No password yet" not in page
    assert all_emails(boss.app) == []


@pytest.mark.parametrize("how", ["invite by email", "set a password", "set a password by reset"])
def test_an_invitation_stops_working_once_there_is_a_password(boss: StaffClient, how: str) -> None:
    user_id = invited(boss)
    letter = invitation(boss.app)
    if how == "invite by email":
        boss.post(f"/admin/users/{user_id}/", **{**boss.form(f"/admin/users/{user_id}/"), "email": "new@example.com"})
    elif how == "set a password":
        boss.post(f"/admin/users/{user_id}/password/", password1=NEW_PASSWORD, password2=NEW_PASSWORD)
    else:
        client = boss.app.test_client()
        client.post("/userapi/auth/password/reset/", json={"email": "guest@example.com"})
        reset = emails_to(boss.app, "guest@example.com", "reset_password")[-1]
        body = {"uid": reset.uid, "token": reset.token, **TWICE}
        assert client.post("/userapi/auth/password/reset/confirm/", json=body).status_code == 200

    assert FormBrowser(boss.app).get(path_of(letter)).status_code == 400


def test_staff_choose_the_language_and_it_is_the_sites_unless_they_do(boss: StaffClient) -> None:
    """The clerk's browser asks for German."""
    german = {"Accept-Language": "de"}
    asked = boss.post(ADD, email="jane@example.co.uk", access="invite", headers=german)
    french = boss.post(ADD, email="jean@example.fr", access="invite", language="fr", headers=german)
    typed = {"access": "password", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    with_password = boss.post(ADD, email="john@example.co.uk", headers=german, **typed)

    assert [answer.status_code for answer in (asked, french, with_password)] == [303] * 3
    languages = {
        email: stored_value(boss.app, int(answer.headers["Location"].rstrip("/").rpartition("/")[2]), "language")
        for email, answer in {"jane": asked, "jean": french, "john": with_password}.items()
    }
    assert languages == {"jane": "en", "jean": "fr", "john": "en"}
    assert invitation(boss.app, "jane@example.co.uk").subject.startswith("You have been invited")
    assert emails_to(boss.app, "john@example.co.uk", "verify_email")[0].subject == "Confirm your email address"


def test_the_staff_form_changes_the_language_of_a_user(boss: StaffClient) -> None:
    user_id = make_user(boss.app, language="de")
    path = f"/admin/users/{user_id}/"

    assert '<option value="de" lang="de" selected>' in boss.get(path).text
    boss.post(path, **{**boss.form(path), "language": "ar"})
    changed = stored_value(boss.app, user_id, "language")
    refused = boss.post(path, **{**boss.form(path), "language": "tlh"})

    assert changed == "ar"
    assert refused.status_code == 400
    assert 'id="language-error"' in refused.text


def test_accounts_that_staff_add_do_not_use_up_the_registrations_of_their_office(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_REGISTRATION="1 per hour")
    boss = staff_client(app, is_staff=True, is_superuser=True)
    typed = {"access": "password", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    added = [boss.post(ADD, email=f"new{n}@example.com", **typed).status_code for n in range(3)]

    assert added == [303] * 3


def test_who_may_not_change_users_may_not_invite_them(app: Flask) -> None:
    reader = staff_client(app, is_staff=True, permissions=("view_user",))
    user_id = make_user(app, password=None)

    assert reader.post(f"/admin/users/{user_id}/invite/").status_code == 403
    assert "Send invitation" not in reader.get(f"/admin/users/{user_id}/").text
