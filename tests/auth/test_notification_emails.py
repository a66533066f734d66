"""Notifications to the owner: a sign-in from a new device, new permissions."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD, make_user, new_user

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15"
HOME, ELSEWHERE = "192.0.2.10", "198.51.100.20"


def sign_in(
    app: Flask, email: str, agent: str, address: str, path: str = "/api-token-auth/", password: str = PASSWORD
) -> TestResponse:
    return app.test_client().post(
        path,
        json={"email": email, "password": password},
        headers={"User-Agent": agent},
        environ_overrides={"REMOTE_ADDR": address},
    )


@pytest.fixture
def email(app: Flask) -> str:
    """The email of an account that has signed in once, from home."""
    wanted: dict[str, Any] = new_user()
    make_user(app, **wanted)
    assert sign_in(app, wanted["email"], FIREFOX, HOME).status_code == 200
    return str(wanted["email"])


def test_the_first_sign_in_sends_no_notice(app: Flask, email: str) -> None:
    assert all_emails(app) == []


@pytest.mark.parametrize("path", ["/api-token-auth/", "/userapi/auth/login/"])
def test_F16_a_sign_in_from_a_new_device_sends_a_notice(app: Flask, email: str, path: str) -> None:
    assert sign_in(app, email, SAFARI, ELSEWHERE, path).status_code == 200

    (sent_email,) = emails_to(app, email)
    assert sent_email.kind == "new_sign_in"
    assert ELSEWHERE in sent_email.text
    assert "Safari" in sent_email.text
    assert sent_email.secret is None


@pytest.mark.parametrize(("agent", "address"), [(FIREFOX, HOME), (FIREFOX, ELSEWHERE), (SAFARI, HOME)])
def test_a_known_browser_or_ip_address_sends_no_notice(app: Flask, email: str, agent: str, address: str) -> None:
    assert sign_in(app, email, agent, address).status_code == 200

    assert all_emails(app) == []


def test_a_new_device_sends_only_one_notice(app: Flask, email: str) -> None:
    for _ in range(2):
        sign_in(app, email, SAFARI, ELSEWHERE)

    assert len(emails_to(app, email)) == 1


def test_a_device_stays_known_after_its_session_has_ended(app: Flask, email: str) -> None:
    pair = sign_in(app, email, SAFARI, ELSEWHERE).get_json()
    app.test_client().post("/userapi/auth/logout/", json={"all": True, "refresh_token": pair["refresh_token"]})

    sign_in(app, email, SAFARI, ELSEWHERE)

    assert len(emails_to(app, email)) == 1


def test_another_accounts_device_is_not_known(app: Flask, email: str, user: ApiUser) -> None:
    sign_in(app, user.email, SAFARI, ELSEWHERE)
    before = len(emails_to(app, email))

    sign_in(app, email, SAFARI, ELSEWHERE)

    assert len(emails_to(app, email)) == before + 1


def test_a_failed_sign_in_sends_no_notice(app: Flask, email: str) -> None:
    response = sign_in(app, email, SAFARI, ELSEWHERE, password="not my password at all")

    assert response.status_code == 401
    assert all_emails(app) == []


def test_a_browser_without_a_user_agent_sends_a_notice(app: Flask, email: str) -> None:
    assert sign_in(app, email, "", ELSEWHERE).status_code == 200

    assert [sent_email.kind for sent_email in emails_to(app, email)] == ["new_sign_in"]


def test_M03_a_user_agent_cannot_add_text_to_the_email(app: Flask, email: str) -> None:
    sign_in(app, email, "Win a prize at http://evil.example.net <b>now</b>", ELSEWHERE)

    (sent_email,) = emails_to(app, email)
    assert "evil.example.net" not in sent_email.text + sent_email.html
    assert "prize" not in sent_email.text + sent_email.html


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_F16_new_permissions_send_a_notice(app: Flask, user: ApiUser, superuser: ApiUser, flag: str) -> None:
    assert superuser.patch(user.url, json={flag: True}).status_code == 200

    (sent_email,) = all_emails(app)
    assert (sent_email.kind, sent_email.recipient, sent_email.secret) == ("rights_granted", user.email, None)


def test_unchanged_or_removed_permissions_send_no_notice(app: Flask, staff: ApiUser, superuser: ApiUser) -> None:
    for is_staff in (True, False):
        assert superuser.patch(staff.url, json={"is_staff": is_staff}).status_code == 200

    assert all_emails(app) == []
