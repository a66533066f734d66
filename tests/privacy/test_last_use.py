"""What counts as a use of an account, so that it is not closed as unused."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.support import impersonation
from tests.support.api_client import ApiUser, sign_in
from tests.support.closed_accounts import run_retention
from tests.support.factories import make_account
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.auth import pruning
from userapi.core import clock

Days = Callable[[float], None]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(INACTIVE_DAYS="365")


@pytest.mark.both
@pytest.mark.parametrize("use", ["sign-in", "forgotten sign-in", "refresh", "API key", "pruned session", "pruned key"])
def test_W83_an_account_that_was_used_within_the_term_is_never_warned_or_closed(
    app: Flask, user: ApiUser, days_later: Days, use: str
) -> None:
    key = ""
    if "key" in use.lower():
        body = {"name": "Report", "scopes": ["profile"], "expires_in": 360 * 86400}
        key = user.post("/userapi/auth/keys/", json=body).get_json()["key"]
    if "session" in use or use == "refresh":
        app.config["SESSION_LIFETIME"] = app.config["SESSION_IDLE_LIFETIME"] = 340 * 86400
        execute_sql(app, "UPDATE login_sessions SET expires_at = :end", end=clock.now() + timedelta(days=340))
    days_later(330)
    if "sign-in" in use:
        sign_in(app, user.email)
    elif key:
        headers = {"Authorization": f"Bearer {key}"}
        assert app.test_client().get("/userapi/auth/user/", headers=headers).status_code == 200
    else:
        body = {"refresh_token": user.tokens["refresh_token"]}
        assert app.test_client().post("/api-token-refresh/", json=body).status_code == 200
    if "forgotten" in use:
        execute_sql(app, "DELETE FROM login_sessions")
    if "pruned" in use:
        days_later(390)
        with app.app_context():
            pruning.prune(clock.now() - timedelta(days=7))
        assert fetch_rows(app, "SELECT id FROM login_sessions UNION SELECT id FROM api_keys") == []

    days_later(330 + 334)
    assert run_retention(app) == {}

    days_later(330 + 336)
    assert run_retention(app) == {"warned": 1}


def test_W83_staff_who_act_as_a_user_do_not_use_the_account(make_app: Callable[..., Flask], days_later: Days) -> None:
    app = make_app(INACTIVE_DAYS="365", IMPERSONATION="true")
    email = make_account(app)
    user_id = fetch_number(app, f"SELECT id FROM users WHERE email = '{email}'")
    days_later(330)
    assert impersonation.start(impersonation.make_support(app), user_id).status_code == 303
    days_later(336)
    assert run_retention(app) == {"warned": 1}

    days_later(350)
    with app.app_context():
        assert pruning.prune(clock.now() - timedelta(days=7)).sessions > 0
    days_later(359)

    assert run_retention(app) == {"warned": 1}


def test_W83_of_sessions_that_are_pruned_the_latest_use_is_kept(app: Flask, user: ApiUser, days_later: Days) -> None:
    for day in (300, 320):
        days_later(day)
        sign_in(app, user.email)
    execute_sql(app, "UPDATE users SET last_login = date_joined")
    execute_sql(app, "UPDATE login_sessions SET expires_at = :end", end=clock.now() + timedelta(days=60))
    first, latest = (
        row.id for row in fetch_rows(app, "SELECT id FROM login_sessions ORDER BY created_at DESC LIMIT 2")[::-1]
    )
    for each in (latest, first):
        execute_sql(app, "UPDATE login_sessions SET expires_at = :end WHERE id = :id", end=clock.now(), id=each)
        days_later(340)
        with app.app_context():
            pruning.prune(clock.now())
        days_later(320)
    execute_sql(app, "DELETE FROM login_sessions")

    days_later(320 + 334)
    assert run_retention(app) == {}
    days_later(320 + 336)
    assert run_retention(app) == {"warned": 1}


def test_W83_a_use_after_a_warning_counts_although_its_session_is_pruned(
    app: Flask, user: ApiUser, days_later: Days
) -> None:
    days_later(336)
    assert run_retention(app) == {"warned": 1}
    days_later(340)
    sign_in(app, user.email)
    execute_sql(app, "UPDATE users SET last_login = date_joined")
    execute_sql(app, "UPDATE login_sessions SET expires_at = :end", end=clock.now())
    days_later(350)
    with app.app_context():
        pruning.prune(clock.now())
    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == 0

    days_later(360)

    assert run_retention(app) == {}
