"""`flask sessions`: sessions are listed, ended and pruned."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.api_keys import create_key
from userapi.core import clock
from userapi.core.db import db

pytestmark = pytest.mark.both


def sessions(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["sessions", *arguments])


def count_sessions(app: Flask) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.text("SELECT count(*) FROM login_sessions")) or 0)


def test_R19_an_operator_ends_every_session_of_a_user(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    second = sign_in(app, user.email)
    assert user.get("/userapi/auth/user/").status_code == 200

    result = sessions(app, "end", user.email.upper())

    assert result.exit_code == 0, result.stderr
    assert user.get("/userapi/auth/user/").status_code == 401
    refresh = {"refresh_token": second["refresh_token"]}
    assert app.test_client().post("/api-token-refresh/", json=refresh).status_code == 401
    assert other_user.get("/userapi/auth/user/").status_code == 200
    assert sign_in(app, user.email)


def test_K06_a_restored_backup_does_not_revive_sessions_after_ending_all(
    app: Flask, user: ApiUser, other_user: ApiUser
) -> None:
    other_user.post("/userapi/auth/logout/", json={})
    assert (user.get("/userapi/auth/user/").status_code, other_user.get("/userapi/auth/user/").status_code) == (
        200,
        401,
    )
    with app.app_context():  # as restored from a backup made before the sign-out
        db.session.execute(sa.text("UPDATE login_sessions SET ended_at = NULL"))
        db.session.commit()
    assert other_user.get("/userapi/auth/user/").status_code == 200

    assert sessions(app, "end-all").exit_code == 1
    assert user.get("/userapi/auth/user/").status_code == 200
    result = sessions(app, "end-all", "--yes")

    assert (result.exit_code, result.stdout) == (0, "All sessions of 2 users have ended.\n")
    for caller in (user, other_user):
        assert caller.get("/userapi/auth/user/").status_code == 401
        refresh = {"refresh_token": caller.tokens["refresh_token"]}
        assert app.test_client().post("/api-token-refresh/", json=refresh).status_code == 401
        assert sign_in(app, caller.email)
    with app.app_context():
        db.session.execute(sa.text("UPDATE login_sessions SET ended_at = NULL"))
        db.session.commit()
    assert user.get("/userapi/auth/user/").status_code == 401


@pytest.mark.parametrize("keys", [False, True])
def test_an_operator_ends_all_sessions_with_or_without_all_api_keys(
    app: Flask, user: ApiUser, other_user: ApiUser, keys: bool
) -> None:
    holders = [create_key(owner) for owner in (user, user, other_user)]

    result = sessions(app, "end-all", "--yes", *(["--keys"] if keys else []))

    assert [holder.code for holder in holders] == ["token_invalid" if keys else None] * 3
    assert result.stdout.splitlines()[1:] == (["3 API keys were revoked."] if keys else [])


def test_R19_ending_the_sessions_of_an_unknown_user_is_rejected(app: Flask) -> None:
    result = sessions(app, "end", "unknown@example.com")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "unknown@example.com" in result.stderr


def test_K04_prunes_only_sessions_that_ended_long_ago(
    app: Flask, user: ApiUser, other_user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_user.post("/userapi/auth/logout/", json={})
    assert sessions(app, "prune").stdout.startswith("0 sessions deleted.\n")

    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=6, hours=23))
    assert sessions(app, "prune").stdout.startswith("0 sessions deleted.\n")
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=7, hours=1))
    assert sessions(app, "prune").stdout.startswith("1 session deleted.\n")
    assert sessions(app, "prune").stdout.startswith("0 sessions deleted.\n")

    monkeypatch.undo()
    assert count_sessions(app) == 1
    assert user.get("/userapi/auth/user/").status_code == 200


def test_K04_pruning_continues_until_everything_is_done(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("userapi.core.batches.ROWS_PER_TRANSACTION", 2)
    for _ in range(4):
        sign_in(app, user.email)
    sessions(app, "end", user.email)

    assert sessions(app, "prune", "--days", "0").stdout.startswith("5 sessions deleted.\n")
    assert count_sessions(app) == 0


def test_K04_prunes_links_that_expired_long_ago_too(
    app: Flask, client: FlaskClient, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/userapi/auth/password/reset/", json={"email": user.email})
    assert sessions(app, "prune").stdout.endswith("0 email links deleted.\n")

    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=9))

    assert sessions(app, "prune").stdout.endswith("1 email link deleted.\n")
    assert sessions(app, "prune").stdout.endswith("0 email links deleted.\n")


def test_lists_active_sessions_of_one_user_or_of_all(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    sign_in(app, user.email)

    def emails(*arguments: str) -> list[str]:
        result = sessions(app, "list", *arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        header, *lines = (line.split("\t") for line in result.stdout.splitlines())
        assert header == ["email", "started", "last used", "expires", "IP address", "device"]
        return sorted(line[0] for line in lines)

    assert emails() == sorted([user.email, user.email, other_user.email])
    assert emails(other_user.email.upper()) == [other_user.email]
    assert len(emails("--limit", "2")) == 2
    other_user.post("/userapi/auth/logout/", json={})
    assert emails() == [user.email, user.email]
    assert emails(other_user.email) == []


def test_an_unknown_email_gets_one_sentence(app: Flask) -> None:
    result = sessions(app, "list", "unknown@example.com")

    assert (result.exit_code, result.stderr) == (1, "Error: There is no user with the email unknown@example.com.\n")
