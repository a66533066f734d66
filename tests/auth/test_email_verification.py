"""Confirming an email address: the email at registration, its link, and what an unconfirmed account can do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, sign_in
from tests.support.comparable_responses import comparable
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.response_times import take_equally_long
from tests.support.sql import execute_sql
from userapi.core import clock
from userapi.core.db import db
from userapi.users import email_links, queries

VERIFY = "/userapi/auth/email/verify/"
RESEND = "/userapi/auth/email/resend/"
ME = "/userapi/auth/user/"


def register(app: Flask, **overrides: Any) -> str:
    """Register an account and return its email."""
    wanted = new_user(**overrides)
    assert app.test_client().post("/userapi/users/", json=wanted).status_code == 201
    return str(wanted["email"])


def token_to(app: Flask, email: str, kind: str = "verify_email") -> str:
    return emails_to(app, email, kind)[-1].token


def verify(client: FlaskClient, token: str) -> TestResponse:
    return client.post(VERIFY, json={"token": token})


def resend(client: FlaskClient, email: str) -> TestResponse:
    return client.post(RESEND, json={"email": email})


def is_verified(app: Flask, email: str) -> bool:
    with app.app_context():
        found = db.session.scalar(sa.text("SELECT email_verified_at FROM users WHERE email = :email"), {"email": email})
        return found is not None


def test_the_link_in_the_email_confirms_the_address(app: Flask, client: FlaskClient) -> None:
    email = register(app)
    me = {"Authorization": f"Bearer {sign_in(app, email)['access_token']}"}
    before = client.get(ME, headers=me).get_json()["email_verified"]

    response = verify(client, token_to(app, email))

    assert response.status_code == 200
    assert (before, client.get(ME, headers=me).get_json()["email_verified"]) == (False, True)


def test_F03_the_link_leads_to_our_site_whatever_the_host_header(app: Flask, client: FlaskClient) -> None:
    forged = {"Host": "evil.example.net", "X-Forwarded-Host": "evil.example.net", "Forwarded": "host=evil.example.net"}
    wanted = new_user()

    response = client.post("/userapi/users/", json=wanted, headers=forged)

    assert response.status_code == 201
    (sent_email,) = all_emails(app)
    assert sent_email.link == f"http://accounts.example.com/verify-email/{sent_email.secret}/"
    assert "evil" not in sent_email.text + sent_email.html


def test_F08_a_link_expires_after_a_day(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    email = register(app)
    token = token_to(app, email)
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(hours=24, seconds=1))
    late = verify(client, token)
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(hours=23, minutes=59))

    in_time = verify(client, token)

    assert (late.status_code, late.get_json()["code"]) == (400, "invalid_link")
    assert in_time.status_code == 200


def test_F06_F18_every_invalid_link_gets_the_same_response(app: Flask, client: FlaskClient) -> None:
    email, other, inactive = register(app), register(app), register(app)
    used, good = token_to(app, other), token_to(app, email)
    assert verify(client, used).status_code == 200
    client.post("/userapi/auth/password/reset/", json={"email": email})
    execute_sql(app, "UPDATE users SET is_active = false WHERE email = :email", email=inactive)
    bad = {
        "used": used,
        "cut": good[:-1],
        "longer": f"{good}A",
        "one character changed": ("B" if good[0] == "A" else "A") + good[1:],
        "case": good.swapcase(),
        "blanks around it": f" {good} ",
        "the stored digest": email_links.hash_token(good),
        "made up": "A" * 43,
        "a link that resets": token_to(app, email, "reset_password"),
        "an inactive account's": token_to(app, inactive),
    }

    responses = {why: comparable(verify(client, token)) for why, token in bad.items()}

    status, body, _headers = responses["used"]
    assert (status, body.count(b'"code":"invalid_link"')) == (400, 1)
    assert {why: response for why, response in responses.items() if response != responses["used"]} == {}
    assert not is_verified(app, email)
    assert verify(client, good).status_code == 200


def test_F18_changing_the_email_invalidates_the_earlier_link(app: Flask, client: FlaskClient, staff: ApiUser) -> None:
    email = register(app)
    token = token_to(app, email)
    user_id = app.test_client().post("/userapi/auth/login/", json={"email": email, "password": PASSWORD})
    staff.patch(f"/userapi/users/{user_id.get_json()['user']['id']}/", json={"email": "moved@example.com"})

    response = verify(client, token)

    assert response.get_json()["code"] == "invalid_link"
    assert not is_verified(app, "moved@example.com")


def test_F18_a_link_never_confirms_another_email_address(app: Flask, client: FlaskClient) -> None:
    email = register(app)
    move = "UPDATE users SET email = :new, email_key = :new WHERE email = :old"
    execute_sql(app, move, new="moved@example.com", old=email)
    rejected = verify(client, token_to(app, email))
    execute_sql(app, move, new=email, old="moved@example.com")

    assert rejected.get_json()["code"] == "invalid_link"
    assert verify(client, token_to(app, email)).status_code == 200


def test_F18_a_link_opened_by_another_account_confirms_only_its_own_and_starts_no_session(
    app: Flask, user: ApiUser
) -> None:
    email = register(app)

    response = user.post(VERIFY, json={"token": token_to(app, email)})

    assert response.status_code == 200
    assert list(response.get_json()) == ["detail"]
    assert "Set-Cookie" not in response.headers
    assert is_verified(app, email)
    mine = user.get(ME).get_json()
    assert (mine["email"], mine["email_verified"]) == (user.email, False)


def test_F19_resending_returns_the_same_response_for_every_address(app: Flask, client: FlaskClient) -> None:
    waiting, verified, inactive = register(app), register(app), register(app)
    verify(client, token_to(app, verified))
    execute_sql(app, "UPDATE users SET is_active = false WHERE email = :email", email=inactive)
    before = len(all_emails(app))

    responses = [comparable(resend(client, email)) for email in (waiting, verified, inactive, "unknown@example.com")]

    assert responses[0][0] == 200
    assert responses == [responses[0]] * 4
    assert [sent_email.recipient for sent_email in all_emails(app)[before:]] == [waiting]


@pytest.mark.parametrize("kind", ["unknown", "verified"])
def test_F19_resending_takes_equally_long_whether_or_not_an_email_is_queued(
    app: Flask, client: FlaskClient, kind: str
) -> None:
    waiting, other = register(app), register(app)
    verify(client, token_to(app, other))
    without = {"unknown": "unknown@example.com", "verified": other}[kind]

    def resend_to_unverified() -> None:
        assert resend(client, waiting).status_code == 200

    def resend_to_others() -> None:
        assert resend(client, without).status_code == 200

    resend_to_unverified(), resend_to_others()

    assert take_equally_long(resend_to_unverified, resend_to_others)
    assert len(emails_to(app, waiting)) > 40


def test_a_resent_email_confirms_as_the_first_does(app: Flask, client: FlaskClient) -> None:
    email = register(app)
    first = token_to(app, email)
    resend(client, email.upper())
    second = token_to(app, email)

    response = verify(client, second)

    assert first != second
    assert response.status_code == 200
    assert is_verified(app, email)


def test_G04_an_email_in_use_is_sent_nothing_and_the_response_says_only_that(app: Flask, client: FlaskClient) -> None:
    email = register(app, first_name="Secretia")
    before = len(all_emails(app))

    response = client.post("/userapi/users/", json=new_user(email=email.upper()))

    assert response.status_code == 400
    assert response.get_json()["errors"] == {"email": ["This email address is already in use."]}
    assert "Secretia" not in response.text
    assert len(all_emails(app)) == before


def test_M07_a_registration_that_is_not_committed_queues_no_email(app: Flask, client: FlaskClient) -> None:
    wanted = new_user()

    def lose_the_database(_session: object) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("connection lost"))

    sa.event.listen(db.session, "before_commit", lose_the_database)
    try:
        response = client.post("/userapi/users/", json=wanted)
    finally:
        sa.event.remove(db.session, "before_commit", lose_the_database)

    assert response.status_code == 503
    assert all_emails(app) == []
    assert client.post("/userapi/users/", json=wanted).status_code == 201
    assert [sent_email.recipient for sent_email in all_emails(app)] == [wanted["email"]]


def test_no_email_is_queued_when_confirmation_is_switched_off(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_VERIFICATION="none")
    email = register(app)

    response = resend(app.test_client(), email)

    assert response.status_code == 200
    assert all_emails(app) == []


SIGN_IN_ENDPOINTS: dict[str, Callable[[FlaskClient, str, str], TestResponse]] = {
    "api-token-auth": lambda client, email, password: client.post(
        "/api-token-auth/", json={"email": email, "password": password}
    ),
    "userapi/api-token-auth": lambda client, email, password: client.post(
        "/userapi/api-token-auth/", json={"username": email, "password": password}
    ),
    "login": lambda client, email, password: client.post(
        "/userapi/auth/login/", json={"email": email, "password": password}
    ),
    "login by form": lambda client, email, password: client.post(
        "/userapi/auth/login/", data={"email": email, "password": password}
    ),
    "login with cookies": lambda client, email, password: client.post(
        "/userapi/auth/login/", json={"email": email, "password": password, "cookies": True}
    ),
}


@pytest.mark.parametrize("endpoint", SIGN_IN_ENDPOINTS.values(), ids=SIGN_IN_ENDPOINTS.keys())
def test_L01_Z17_an_unconfirmed_account_cannot_sign_in_where_confirmation_is_required(
    make_app: Callable[..., Flask], endpoint: Callable[[FlaskClient, str, str], TestResponse]
) -> None:
    app = make_app(EMAIL_VERIFICATION="mandatory")
    email = register(app)

    unconfirmed = endpoint(app.test_client(), email, PASSWORD)
    wrong = endpoint(app.test_client(), email, "not my password at all")
    unknown = endpoint(app.test_client(), "unknown@example.com", PASSWORD)

    assert unconfirmed.status_code == 401
    assert comparable(unconfirmed) == comparable(wrong) == comparable(unknown)
    verify(app.test_client(), token_to(app, email))
    assert endpoint(app.test_client(), email, PASSWORD).status_code == 200


def test_Z17_a_completed_reset_confirms_the_email_address(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_VERIFICATION="mandatory")
    client, email, password = app.test_client(), register(app), "brittle harbour lantern 42"
    client.post("/userapi/auth/password/reset/", json={"email": email})
    sent_email = emails_to(app, email, "reset_password")[0]
    body = {"uid": sent_email.uid, "token": sent_email.token, "new_password1": password, "new_password2": password}
    assert SIGN_IN_ENDPOINTS["login"](client, email, PASSWORD).status_code == 401

    response = client.post("/userapi/auth/password/reset/confirm/", json=body)

    assert response.status_code == 200
    assert SIGN_IN_ENDPOINTS["login"](client, email, password).status_code == 200


def test_Z17_an_email_set_by_staff_must_be_confirmed_with_a_link(make_app: Callable[..., Flask]) -> None:
    app = make_app(EMAIL_VERIFICATION="mandatory")
    client, wanted, staff = app.test_client(), new_user(), new_user()
    user_id = make_user(app, **wanted, email_verified=True)
    make_user(app, **staff, is_staff=True, email_verified=True)
    bearer = {"Authorization": f"Bearer {sign_in(app, staff['email'])['access_token']}"}
    moved = client.patch(f"/userapi/users/{user_id}/", json={"email": "moved@example.com"}, headers=bearer)
    assert moved.get_json()["email_verified"] is False
    assert SIGN_IN_ENDPOINTS["login"](client, "moved@example.com", PASSWORD).status_code == 401

    verify(client, token_to(app, "moved@example.com"))

    assert SIGN_IN_ENDPOINTS["login"](client, "moved@example.com", PASSWORD).status_code == 200


def test_K04_expired_tokens_are_pruned_in_batches(app: Flask) -> None:
    emails = [register(app) for _ in range(5)]
    for email in emails[:3]:
        execute_sql(app, "UPDATE one_time_tokens SET expires_at = created_at WHERE address_key = :email", email=email)

    def prune(most: int) -> int:
        with app.app_context():
            gone = queries.prune_tokens(clock.now(), most)
            db.session.commit()
            return gone

    assert [prune(2), prune(2), prune(2), prune(2)] == [2, 1, 0, 0]
    assert [verify(app.test_client(), token_to(app, email)).status_code for email in emails] == [400] * 3 + [200] * 2


def test_K01_deleting_an_account_deletes_its_tokens(app: Flask, superuser: ApiUser) -> None:
    email = register(app)
    token = token_to(app, email)
    users = superuser.get("/userapi/users/", query_string={"search": email}).get_json()["results"]

    superuser.delete(users[0]["url"].replace("http://accounts.example.com", ""))

    with app.app_context():
        assert db.session.scalar(sa.text("SELECT count(*) FROM one_time_tokens")) == 0
    assert verify(app.test_client(), token).get_json()["code"] == "invalid_link"
