"""Races about closed accounts: one restore and one deletion win, on both databases."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support import http_server
from tests.support.api_client import ApiUser, sign_in
from tests.support.closed_accounts import close, closing_token, delete_due, restore
from tests.support.factories import make_account
from tests.support.import_files import as_jsonl, import_command, user_record
from tests.support.race import run_simultaneously
from tests.support.sql import execute_sql, fetch_number
from userapi.audit import audit_log
from userapi.auth import pruning
from userapi.cli import inputs
from userapi.core import clock
from userapi.core.db import db
from userapi.privacy import closing, restore_links
from userapi.users import accounts

pytestmark = pytest.mark.both

Days = Callable[[float], None]


def count_events(app: Flask, action: str) -> int:
    return fetch_number(app, f"SELECT count(*) FROM audit_events WHERE action = '{action}'")


def test_W81_ten_workers_delete_each_closed_account_once(
    app: Flask, make_api_user: Callable[..., ApiUser], days_later: Days
) -> None:
    leaving = [make_api_user() for _number in range(8)]
    for user in leaving:
        assert close(user).status_code == 202
    execute_sql(app, "UPDATE users SET held_reason = 'Dispute' WHERE id = :id", id=leaving[0].id)
    days_later(15)

    deleted = run_simultaneously([partial(delete_due, app)] * 10)

    assert sum(deleted) == count_events(app, "user.deleted") == 7
    assert fetch_number(app, "SELECT count(*) FROM users") == 1


def test_W81_of_two_superusers_who_close_their_accounts_at_the_same_time_one_stays(
    app: Flask, make_api_user: Callable[..., ApiUser]
) -> None:
    users = [make_api_user(is_staff=True, is_superuser=True) for _number in range(2)]

    responses = run_simultaneously([partial(close, user) for user in users])

    assert sorted(response.status_code for response in responses) == [202, 409]


@pytest.mark.slow
def test_W80_of_restores_with_one_link_at_two_workers_one_succeeds(
    app: Flask, user: ApiUser, served_by_two_workers: http_server.Server
) -> None:
    assert close(user).status_code == 202
    token = closing_token(app, user.email)

    responses = run_simultaneously([partial(restore, app, token)] * 6)

    assert sorted(response.status_code for response in responses) == [200, 400, 400, 400, 400, 400]
    assert count_events(app, "user.restored") == 1


def test_W80_an_account_is_either_restored_or_deleted(
    app: Flask, make_api_user: Callable[..., ApiUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving = [make_api_user() for _number in range(6)]
    for user in leaving:
        assert close(user).status_code == 202
    tokens = [closing_token(app, user.email) for user in leaving]
    ahead, now = threading.local(), clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + getattr(ahead, "by", timedelta(0)))

    def delete_by_a_clock_that_is_ahead() -> int:
        ahead.by = timedelta(days=15)
        return delete_due(app)

    calls = [partial(restore_status, app, token) for token in tokens]
    *statuses, deleted = run_simultaneously([*calls, delete_by_a_clock_that_is_ahead])

    assert set(statuses) <= {200, 400}
    assert statuses.count(200) == count_events(app, "user.restored") == fetch_number(app, "SELECT count(*) FROM users")
    assert deleted == count_events(app, "user.deleted") == statuses.count(400)


def restore_status(app: Flask, token: str) -> int:
    return restore(app, token).status_code


def test_W81_an_import_that_has_begun_does_not_restore_an_account_that_is_closed_then(
    app: Flask, user: ApiUser, tmp_path: Path
) -> None:
    update = partial(import_command(app, tmp_path), as_jsonl(user_record(email=user.email, is_active=True)))

    with app.app_context(), ThreadPoolExecutor(1) as pool:
        closing.start_closing(inputs.held_user(user.email), by=None)
        imported = pool.submit(update, "--on-conflict", "update")
        time.sleep(0.5)
        db.session.commit()
        assert "1 updated" in imported.result().stdout

    assert fetch_number(app, "SELECT count(*) FROM users WHERE closes_at IS NOT NULL AND NOT is_active") == 1


def test_W80_a_restore_that_waits_while_staff_withdraw_the_link_fails(app: Flask, user: ApiUser) -> None:
    assert close(user).status_code == 202
    token = closing_token(app, user.email)

    with app.app_context(), ThreadPoolExecutor(1) as pool:
        restore_links.withdraw(inputs.held_user(user.email))
        restored = pool.submit(restore_status, app, token)
        time.sleep(0.5)
        db.session.commit()
        assert restored.result() == 400

    assert fetch_number(app, "SELECT count(*) FROM users WHERE closes_at IS NOT NULL AND NOT is_active") == 1


def test_W83_sessions_are_pruned_beside_the_deletion_of_their_user(
    make_app: Callable[..., Flask], days_later: Days
) -> None:
    app = make_app(INACTIVE_DAYS="365")
    gone, staying = (make_account(app) for _number in range(2))
    for email in (gone, staying):
        sign_in(app, email)
    days_later(400)

    def prune() -> int:
        with app.app_context():
            return pruning.prune(clock.now()).sessions

    with app.app_context(), ThreadPoolExecutor(1) as pool:
        accounts.delete(inputs.held_user(gone))
        pruned = pool.submit(prune)
        time.sleep(0.5)
        db.session.commit()
        pruned.result()

    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == 0
    assert fetch_number(app, "SELECT count(*) FROM account_activity") == 1


def test_W82_an_event_that_is_written_beside_the_deletion_has_no_values(app: Flask, user: ApiUser) -> None:
    def delete() -> None:
        with app.app_context():
            accounts.delete(inputs.held_user(user.email))
            db.session.commit()

    with app.app_context(), ThreadPoolExecutor(1) as pool:
        db.session.execute(sa.text("UPDATE login_sessions SET last_used_at = created_at"))
        audit_log.record("identity.email_changed", "user", user.id, {"email": ("zq1@example.com", "zq2@example.com")})
        db.session.flush()
        deleted = pool.submit(delete)
        time.sleep(0.5)
        db.session.commit()
        deleted.result()

    assert fetch_number(app, "SELECT count(*) FROM users") == 0
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE CAST(changes AS VARCHAR(999)) LIKE '%zq1%'") == 0
