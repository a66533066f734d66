"""The scheduled tasks of a Celery worker."""

import sqlite3
import sys
import uuid
from pathlib import Path

import pytest

from tests.support import commands

pytestmark = pytest.mark.slow


def test_K04_old_emails_and_sessions_are_pruned_on_schedule(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    env = commands.environment(url, tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0", MAIL_KEEP_DAYS="30")
    assert commands.run(*commands.FLASK, "db", "upgrade", env=env).code == 0
    database = sqlite3.connect(tmp_path / "test.db")
    for days, due in ((31, None), (29, None), (31, "2020-01-01 00:00:00.000000")):
        database.execute(
            "INSERT INTO messages (created_at, kind, recipient, subject, text, html, message_id, attempts, due_at) "
            "VALUES (datetime('now', ?) || '.000000', 'x', 'a@example.com', '', '', '', ?, 1, ?)",
            (f"-{days} days", uuid.uuid4().hex, due),
        )
    database.commit()

    done = commands.run(sys.executable, "-c", "from userapi import worker; worker.prune()", env=env)

    assert done.code == 0, done.errors
    left = database.execute("SELECT due_at IS NULL FROM messages ORDER BY id").fetchall()
    database.close()
    assert left == [(1,), (0,)]


def test_bulk_actions_are_processed_on_schedule(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    env = commands.environment(url, tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    assert commands.run(*commands.FLASK, "db", "upgrade", env=env).code == 0
    database = sqlite3.connect(tmp_path / "test.db")
    for user_id, is_staff in ((1, 1), (2, 0)):
        database.execute(
            "INSERT INTO users (id, email, email_key, first_name, last_name, first_name_key, last_name_key, "
            "session_version, is_active, is_staff, is_superuser, date_joined) "
            "VALUES (?1, ?1 || '@example.com', ?1 || '@example.com', '', '', '', '', 0, 1, ?2, ?2, "
            "'2026-01-01 00:00:00')",
            (user_id, is_staff),
        )
    database.execute(
        "INSERT INTO bulk_jobs (id, created_at, actor_id, action, query, total, state, attempts, done, left_out) "
        "VALUES (1, '2026-01-01 00:00:00', 1, 'deactivate', '', 1, 'waiting', 0, 0, 0)"
    )
    database.execute("INSERT INTO bulk_targets (job_id, user_id) VALUES (1, 2)")
    database.commit()

    done = commands.run(sys.executable, "-c", "from userapi import worker; worker.act_on_users()", env=env)

    assert done.code == 0, done.errors
    assert database.execute("SELECT is_active FROM users WHERE id = 2").fetchone() == (0,)
    assert database.execute("SELECT state, done FROM bulk_jobs").fetchone() == ("done", 1)
    database.close()
