"""What a Celery worker does on time, called as the worker calls it."""

import sqlite3
import sys
import uuid
from pathlib import Path

import serving


def test_K04_letters_and_sessions_that_are_long_over_are_cleared_away_on_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    env = serving.environment(url, tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0", MAIL_KEEP_DAYS="30")
    assert serving.run(*serving.FLASK, "db", "upgrade", env=env).code == 0
    database = sqlite3.connect(tmp_path / "test.db")
    for days, due in ((31, None), (29, None), (31, "2020-01-01 00:00:00.000000")):
        database.execute(
            "INSERT INTO messages (created_at, kind, recipient, subject, text, html, message_id, attempts, due_at) "
            "VALUES (datetime('now', ?) || '.000000', 'x', 'a@example.com', '', '', '', ?, 1, ?)",
            (f"-{days} days", uuid.uuid4().hex, due),
        )
    database.commit()

    done = serving.run(sys.executable, "-c", "from userapi import worker; worker.prune()", env=env)

    assert done.code == 0, done.errors
    left = database.execute("SELECT due_at IS NULL FROM messages ORDER BY id").fetchall()
    database.close()
    assert left == [(1,), (0,)]
