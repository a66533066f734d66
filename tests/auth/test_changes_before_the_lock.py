"""Sensitive actions whose account changes after the recent proof was checked, and before the account is locked."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.authenticator import Authenticator
from tests.support.factories import PASSWORD
from tests.support.passkeys import ORIGIN, add_passkey
from tests.support.second_factors import FACTORS, App, add_app, set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.core.db import db
from userapi.users import email_links, user_values
from userapi.users import queries as user_queries

PASSKEYS = f"{FACTORS}passkeys/"


@pytest.fixture
def user(app: Flask, user: ApiUser) -> ApiUser:
    """A user with an app and a passkey, whose second step is off."""
    set_up_app(app, user.id)
    add_passkey(app, user.id)
    execute_sql(app, "UPDATE second_factors SET active_since = NULL")
    return user


def request_new_passkey(user: ApiUser) -> dict[str, Any]:
    """The body that adds a passkey."""
    options = user.post(f"{PASSKEYS}options/", json={}).get_json()["publicKey"]
    return {"credential": Authenticator(ORIGIN).create(options)}


def confirm_another(user: ApiUser) -> tuple[str, str, dict[str, Any]]:
    other: App = add_app(user, "Other")
    return "POST", f"{FACTORS}totp/{other.id}/confirm/", {"code": other.code()}


ACTS: dict[str, Callable[[ApiUser], tuple[str, str, dict[str, Any] | None]]] = {
    "email, by password": lambda user: (
        "POST", "/userapi/auth/email/change/", {"email": "new@example.com", "password": PASSWORD},
    ),
    "email": lambda user: ("POST", "/userapi/auth/email/change/", {"email": "new@example.com"}),
    "own email": lambda user: (
        "PATCH", "/userapi/auth/user/", {"email": "new@example.com", "current_password": PASSWORD},
    ),
    "add an app": lambda user: ("POST", f"{FACTORS}totp/", {}),
    "confirm an app": confirm_another,
    "remove an app": lambda user: ("DELETE", f"{FACTORS}totp/{first_id(user, 'totp')}/", None),
    "passkey options": lambda user: ("POST", f"{PASSKEYS}options/", {}),
    "add a passkey": lambda user: ("POST", PASSKEYS, request_new_passkey(user)),
    "remove a passkey": lambda user: ("DELETE", f"{PASSKEYS}{first_id(user, 'passkeys')}/", None),
    "turn on": lambda user: ("PATCH", FACTORS, {"second_step": True}),
    "recovery codes": lambda user: ("POST", f"{FACTORS}recovery-codes/", None),
}  # fmt: skip


def first_id(user: ApiUser, kind: str) -> str:
    return str(user.get(FACTORS).get_json()[kind][0]["id"])


def state(app: Flask) -> list[Any]:
    """What the acts would change."""
    tables = ("totp_devices", "passkeys", "recovery_codes", "one_time_tokens")
    counts = [fetch_number(app, f"SELECT count(*) FROM {table}") for table in tables]
    digests = sorted(digest for (digest,) in fetch_rows(app, "SELECT digest FROM recovery_codes"))
    return [*counts, digests, fetch_rows(app, "SELECT pending_email FROM users ORDER BY id")]


def run_before_lock(monkeypatch: pytest.MonkeyPatch, app: Flask, act: Callable[[], None]) -> None:
    """Let something happen, in another transaction, when a request is about to lock the account."""
    waiting = [act]

    def later(lock: Callable[[int], Any], user_id: int) -> Any:
        if waiting:
            other = threading.Thread(target=waiting.pop())
            other.start()
            other.join()
        return lock(user_id)

    monkeypatch.setattr(user_queries, "lock_user", partial(later, user_queries.lock_user))
    monkeypatch.setattr(user_values, "lock", partial(later, user_values.lock))


@pytest.mark.both
@pytest.mark.parametrize("name", ACTS)
def test_S25_a_second_step_that_is_on_by_the_time_of_the_lock_is_required(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    method, path, json = ACTS[name](user)
    before = state(app)
    run_before_lock(
        monkeypatch, app, lambda: execute_sql(app, "UPDATE second_factors SET active_since = codes_made_at")
    )

    response = user.open(path, method=method, json=json)

    assert (response.status_code, response.get_json()["code"]) == (403, "proof_needed"), response.text
    assert state(app) == before


@pytest.mark.parametrize("name", [name for name in ACTS if name != "own email"])
def test_S25_a_session_that_ends_before_the_lock_changes_nothing(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    method, path, json = ACTS[name](user)
    before = state(app)
    run_before_lock(monkeypatch, app, lambda: execute_sql(app, "UPDATE login_sessions SET ended_at = created_at"))

    response = user.open(path, method=method, json=json)

    assert (response.status_code, response.get_json()["code"]) == (401, "token_revoked"), response.text
    assert state(app) == before


@pytest.mark.both
def test_S65_a_passkey_that_arrives_while_a_change_of_email_is_undone_is_not_added(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = request_new_passkey(user)
    with app.app_context():
        account = user_queries.lock_user(user.id)
        assert account is not None
        token = email_links.create_token(account, email_links.UNDO_EMAIL_CHANGE, "old@example.com", "old@example.com")
        db.session.commit()

    def undo() -> None:
        undone = app.test_client().post("/userapi/auth/email/undo/", json={"token": token})
        assert undone.status_code == 200, undone.text

    run_before_lock(monkeypatch, app, undo)

    response = user.post(PASSKEYS, json=body)

    assert (response.status_code, response.get_json()["code"]) == (401, "token_revoked"), response.text
    assert fetch_number(app, "SELECT count(*) FROM passkeys") == 0
