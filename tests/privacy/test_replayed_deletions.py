"""Deleted accounts stay deleted after a backup was restored."""

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.closed_accounts import close, closing_token, restore
from tests.support.email_inbox import emails_to
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.core import clock

SINCE = "2026-01-01"


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments))


def replay(app: Flask, *files: Path, since: str = SINCE) -> Result:
    return run(app, "users", "replay-deletions", *map(str, files), "--since", since, "--yes")


def database_of(app: Flask) -> Path:
    return Path(app.config["DATABASE_URL"].removeprefix("sqlite:///"))


def copy_database(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as here, sqlite3.connect(target) as there:
        here.backup(there)
    here.close()
    there.close()


def ids(app: Flask) -> set[int]:
    return {row.id for row in fetch_rows(app, "SELECT id FROM users")}


def test_W81_what_was_deleted_or_closed_after_a_backup_is_deleted_or_closed_again(
    app: Flask, make_api_user: Callable[..., ApiUser], superuser: ApiUser, tmp_path: Path
) -> None:
    deleted, closed, restored, staying, back_again = (make_api_user() for _number in range(5))
    close(back_again)
    copy_database(database_of(app), tmp_path / "backup.db")
    assert superuser.delete(deleted.url).status_code == 204
    for each in (closed, restored):
        close(each)
    superuser.patch(restored.url, json={"is_active": True})
    restore(app, closing_token(app, back_again.email))
    lost = make_api_user()
    assert run(app, "audit", "export", str(tmp_path / "events.jsonl")).exit_code == 0

    copy_database(tmp_path / "backup.db", database_of(app))
    back = ids(app)
    result = replay(app, tmp_path / "events.jsonl")
    again = replay(app, tmp_path / "events.jsonl")

    assert deleted.id in back
    assert (result.exit_code, result.output) == (
        0, f"New users get ids above {lost.id}.\n1 account deleted.\n2 accounts closed.\n",
    )  # fmt: skip
    assert again.output == "0 accounts deleted.\n0 accounts closed.\n"
    assert ids(app) == back - {deleted.id}
    assert fetch_number(app, "SELECT count(*) FROM users WHERE closes_at IS NOT NULL AND NOT is_active") == 2
    assert len(emails_to(app, back_again.email, "account_closing")) == 2
    assert make_api_user().id > lost.id
    assert staying.get("/userapi/auth/user/").status_code == restored.get("/userapi/auth/user/").status_code == 200
    assert emails_to(app, closed.email, "account_closing")


@pytest.mark.both
def test_W81_deletions_are_replayed_from_the_event_feed_but_not_on_users_who_joined_later_or_are_held(
    app: Flask, make_api_user: Callable[..., ApiUser], tmp_path: Path
) -> None:
    gone, newcomer, held = (make_api_user() for _number in range(3))
    execute_sql(app, "UPDATE users SET held_reason = 'Dispute' WHERE id = :id", id=held.id)
    now = clock.now()
    events = [
        {"type": "user.deleted", "timestamp": moment.isoformat(), "data": {"user": {"id": each.id}}}
        for each, moment in ((gone, now), (newcomer, now - timedelta(days=1)), (held, now))
    ]
    events.append({"type": "user.created", "timestamp": now.isoformat(), "data": {"user": {"id": held.id + 40}}})
    (tmp_path / "feed.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n")

    result = replay(app, tmp_path / "feed.jsonl")

    assert result.exit_code == 1
    assert ids(app) == {newcomer.id, held.id}
    assert make_api_user().id > held.id + 40
    assert "1 account was kept" in result.output


def test_a_file_that_has_no_events_deletes_nothing(app: Flask, user: ApiUser, tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text(json.dumps({"email": user.email}) + "\n")
    (tmp_path / "early.jsonl").write_text(
        json.dumps({"action": "user.deleted", "occurred_at": clock.now().isoformat(), "target_kind": "user",
                    "target_id": str(user.id)})
    )  # fmt: skip

    wrong = replay(app, tmp_path / "users.jsonl")
    early = replay(app, tmp_path / "early.jsonl", since="2100-01-01")

    assert (wrong.exit_code, "Line 1 is not an event." in wrong.output) == (1, True)
    assert (early.exit_code, "No account" in early.output) == (0, True)
    assert ids(app) == {user.id}
