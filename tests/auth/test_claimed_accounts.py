"""The first code to an unconfirmed email address gives the account to the owner of the address, and to no one else."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, can_sign_in
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD, make_user
from tests.support.mailed_codes import code_in, confirm, newest_email, request_code
from tests.support.passkeys import add_passkey, sign_in_by_passkey
from tests.support.password_reset import confirm_reset, reset_link
from tests.support.provider_visits import link_identity
from tests.support.second_factors import set_up_app, verify_email
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.two_steps import SECOND_STEP
from userapi.auth import claiming, mailed_code_requests, mailed_codes
from userapi.auth.mailed_code_secrets import Purpose
from userapi.auth.problems import InvalidMailedCode
from userapi.core.db import db
from userapi.users import queries as user_queries

ME = "/userapi/auth/user/"


@pytest.fixture
def app(app: Flask) -> Flask:
    """The application with codes by email."""
    app.config["SIGN_IN_BY_MAIL"] = "code"
    return app


def sign_in_by_code(app: Flask, email: str) -> int:
    """Request a code, read it in the mailbox and sign in; the status."""
    challenge = request_code(app, email)
    return confirm(app, challenge=challenge, code=code_in(newest_email(app, email))).status_code


def is_confirmed(app: Flask) -> bool:
    """Whether the email address of the only user is confirmed."""
    return fetch_number(app, "SELECT count(*) FROM users WHERE email_verified_at IS NOT NULL") == 1


def test_E13_what_was_there_before_the_owner_came_gives_no_access(app: Flask, user: ApiUser) -> None:
    verify_email(app, user.id)
    passkey = add_passkey(app, user.id)
    execute_sql(app, "UPDATE second_factors SET active_since = NULL")
    execute_sql(
        app,
        "INSERT INTO identities (user_id, issuer, subject, provider, email_trusted, created_at) "
        "VALUES (:id, 'https://issuer.example.com', 's', 'acme', false, CURRENT_TIMESTAMP)",
        id=user.id,
    )
    changed = {"email": "attacker@example.net", "password": PASSWORD}
    assert user.post("/userapi/auth/email/change/", json=changed).status_code == 202
    pending = emails_to(app, "attacker@example.net")[-1].token
    execute_sql(app, "UPDATE users SET email_verified_at = NULL, session_version = 1")
    execute_sql(app, "UPDATE login_sessions SET session_version = 1")
    assert user.get(ME).status_code == 200

    assert sign_in_by_code(app, user.email) == 200

    assert user.get(ME).status_code == 401
    assert not can_sign_in(app, user.email)
    assert sign_in_by_passkey(app, passkey).status_code == 401
    confirmed = app.test_client().post("/userapi/auth/email/verify/", json={"token": pending})
    assert confirmed.get_json()["code"] == "invalid_link"
    assert fetch_number(app, "SELECT count(*) FROM identities") == 0
    facts = "SELECT password_hash, pending_email, email_verified_at IS NULL, first_name FROM users"
    (row,) = fetch_rows(app, facts)
    assert tuple(row) == (None, None, False, "Wren")
    assert fetch_number(app, "SELECT count(*) FROM login_sessions WHERE ended_at IS NULL") == 1
    (notice,) = emails_to(app, user.email, "account_claimed")
    assert "removed its password" in notice.text
    actions = {row[0] for row in fetch_rows(app, "SELECT action FROM audit_events")}
    assert {"user.claimed", "user.password_removed", "email.verified"} <= actions


@pytest.mark.parametrize("verification", ["optional", "mandatory", "none"])
def test_E13_an_unconfirmed_account_is_claimed_once(make_app: Callable[..., Flask], verification: str) -> None:
    app = make_app(SIGN_IN_BY_MAIL="code", EMAIL_VERIFICATION=verification)
    make_user(app, email="wren@example.com")

    assert sign_in_by_code(app, "wren@example.com") == 200
    assert sign_in_by_code(app, "wren@example.com") == 200

    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action = 'user.claimed'") == 1
    assert fetch_number(app, "SELECT count(*) FROM login_sessions WHERE ended_at IS NULL") == 2


def test_a_confirmed_account_keeps_everything(app: Flask, user: ApiUser) -> None:
    verify_email(app, user.id)

    assert sign_in_by_code(app, user.email) == 200

    assert user.get(ME).status_code == 200
    assert can_sign_in(app, user.email)
    assert all_emails(app, "account_claimed") == []


def test_E17_a_mailbox_is_not_enough_to_remove_a_second_step(app: Flask, user: ApiUser) -> None:
    set_up_app(app, user.id)
    execute_sql(app, "UPDATE users SET email_verified_at = NULL")

    assert sign_in_by_code(app, user.email) == 401

    assert fetch_number(app, "SELECT count(*) FROM totp_devices") == 1
    assert fetch_rows(app, "SELECT email_verified_at IS NULL, password_hash IS NULL FROM users") == [(True, False)]


@pytest.mark.parametrize("has_second_step", [False, True])
def test_I19_a_new_password_leaves_no_one_else_a_way_in(app: Flask, user: ApiUser, has_second_step: bool) -> None:
    if has_second_step:
        set_up_app(app, user.id)
    link_identity(app, user.id)
    execute_sql(app, "UPDATE users SET email_verified_at = NULL")

    assert confirm_reset(app.test_client(), reset_link(app, user.email)).status_code == 200

    assert fetch_number(app, "SELECT count(*) FROM identities") == 0
    assert fetch_rows(app, "SELECT email_verified_at IS NULL FROM users") == [(has_second_step,)]
    assert fetch_number(app, "SELECT count(*) FROM totp_devices") == has_second_step


@pytest.mark.parametrize("verification", ["none", "mandatory"])
def test_E17_an_address_is_confirmed_when_the_second_step_is_done(
    make_app: Callable[..., Flask], verification: str
) -> None:
    app = make_app(SIGN_IN_BY_MAIL="code", EMAIL_VERIFICATION=verification)
    user_id = make_user(app, email="wren@example.com")
    phone, _codes = set_up_app(app, user_id)
    execute_sql(app, "UPDATE users SET email_verified_at = NULL")
    challenge = request_code(app, "wren@example.com")
    first = confirm(app, challenge=challenge, code=code_in(newest_email(app, "wren@example.com")))

    sent = {"mfa_token": first.get_json()["mfa_token"], "code": phone.code()}
    done = app.test_client().post(SECOND_STEP, json=sent)

    assert (done.status_code, is_confirmed(app)) == (200, True), done.text
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action = 'user.claimed'") == 0


def test_E17_a_code_to_an_earlier_address_does_not_confirm_the_next_one(make_app: Callable[..., Flask]) -> None:
    app = make_app(SIGN_IN_BY_MAIL="code", EMAIL_VERIFICATION="none")
    user_id = make_user(app, email="attacker@example.com")
    phone, _codes = set_up_app(app, user_id)
    execute_sql(app, "UPDATE users SET email_verified_at = NULL")
    challenge = request_code(app, "attacker@example.com")
    first = confirm(app, challenge=challenge, code=code_in(newest_email(app, "attacker@example.com")))
    execute_sql(app, "UPDATE users SET email = 'victim@example.com', email_key = 'victim@example.com'")

    sent = {"mfa_token": first.get_json()["mfa_token"], "code": phone.code()}
    done = app.test_client().post(SECOND_STEP, json=sent)

    assert (done.status_code, is_confirmed(app)) == (200, False), done.text


def claim_code(app: Flask, user_id: int, email: str, ticket: str = "ticket") -> tuple[str, str]:
    """Request a code that is bound to a ticket: what names the request, and the code."""
    with app.test_request_context():
        challenge = mailed_code_requests.request_for_account(user_id, Purpose.CLAIM, ticket)
        db.session.commit()
    return str(challenge), code_in(newest_email(app, email))


def use_claim_code(app: Flask, user_id: int, challenge: str, code: str, ticket: str | None = "ticket") -> bool:
    """Use such a code; whether that claimed the account."""
    with app.test_request_context():
        proven = mailed_codes.use_for_account(challenge, code, Purpose.CLAIM, user_id, ticket)
        db.session.commit()
        return proven.is_claimed


def test_a_code_bound_to_a_ticket_claims_only_with_that_ticket_and_account(app: Flask, user: ApiUser) -> None:
    other = make_user(app)
    challenge, code = claim_code(app, user.id, user.email)

    for user_id, ticket in ((user.id, "other"), (user.id, None), (other, "ticket")):
        with pytest.raises(InvalidMailedCode):
            use_claim_code(app, user_id, challenge, code, ticket)
    assert user.get(ME).status_code == 200

    assert use_claim_code(app, user.id, challenge, code)
    assert user.get(ME).status_code == 401
    with pytest.raises(InvalidMailedCode):
        use_claim_code(app, user.id, challenge, code)


def test_claiming_a_confirmed_account_does_nothing(app: Flask, user: ApiUser) -> None:
    verify_email(app, user.id)

    with app.test_request_context():
        locked = user_queries.lock_user(user.id)
        assert locked is not None
        assert not claiming.claim(locked)
        db.session.commit()

    assert user.get(ME).status_code == 200


def test_E12_a_code_or_link_of_one_purpose_is_not_valid_for_another(
    app: Flask, client: FlaskClient, make_api_user: Callable[..., ApiUser]
) -> None:
    app.config["SIGN_IN_BY_MAIL"] = "link"
    user = make_api_user(email_verified=True)
    to_claim, claim = claim_code(app, user.id, user.email)
    to_sign_in = request_code(app, user.email)
    sign_in = newest_email(app, user.email)
    client.post("/userapi/auth/password/reset/", json={"email": user.email})
    reset = emails_to(app, user.email, "reset_password")[-1]
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    requested = user.post("/userapi/auth/code/", json={"purpose": "prove"})
    to_prove, prove = requested.get_json()["challenge"], code_in(newest_email(app, user.email))

    def is_proof(challenge: str, code: str) -> bool:
        return user.post("/userapi/auth/prove/", json={"challenge": challenge, "code": code}).status_code == 200

    assert not is_proof(to_sign_in, code_in(sign_in))
    assert not is_proof(to_claim, claim)
    for challenge, code in ((to_claim, claim), (to_prove, prove)):
        assert confirm(app, challenge=challenge, code=code).status_code == 401
    for challenge, code in ((to_sign_in, code_in(sign_in)), (to_prove, prove)):
        with pytest.raises(InvalidMailedCode):
            use_claim_code(app, user.id, challenge, code, None)
    assert confirm(app, token=reset.token, code=code_in(sign_in)).status_code == 401
    new = {"uid": str(user.id), "new_password1": "copper kettle 4 up", "new_password2": "copper kettle 4 up"}
    link_token = sign_in.text.split("/sign-in/")[1].split("/")[0]
    answer = client.post("/userapi/auth/password/reset/confirm/", json={**new, "token": link_token})
    assert answer.get_json()["code"] == "invalid_link"
    assert client.post("/userapi/auth/email/verify/", json={"token": link_token}).status_code == 400

    assert confirm(app, challenge=to_sign_in, code=code_in(sign_in)).status_code == 200
    assert is_proof(to_prove, prove)
