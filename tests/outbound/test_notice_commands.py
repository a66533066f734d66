"""`flask notices`, the health check and the schedule: how operators handle notices."""

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from tests.support import commands
from tests.support.email_delivery import MoveClock, clock_mover
from tests.support.factories import new_user
from tests.support.sql import execute_sql, fetch_number
from tests.support.waiting import wait_until
from userapi.audit import audit_log, subscribers
from userapi.core import hooks
from userapi.core.db import db
from userapi.core.hooks import After, Event
from userapi.outbound import notices


@pytest.fixture
def calls(app: Flask) -> Iterator[list[int]]:
    """The events for which a subscriber was called; it fails while the list is empty."""
    seen: list[int] = []

    def subscribe(event: Event) -> None:
        if not seen:
            raise LookupError
        seen.append(event.id)

    before = app.extensions[hooks.REGISTRY], app.extensions[notices.KINDS]
    app.extensions[hooks.REGISTRY], app.extensions[notices.KINDS] = hooks.Hooks(), {}
    hooks.register(app, "shop", after=[After("user.deleted", subscribe)])
    subscribers.configure(app)
    with app.app_context():
        audit_log.record("user.deleted", "user", 7)
        db.session.commit()
    yield seen
    app.extensions[hooks.REGISTRY], app.extensions[notices.KINDS] = before


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    """Moves the clock."""
    return clock_mover(monkeypatch)


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["notices", *arguments])


@pytest.mark.both
def test_a_failed_notice_is_reported_listed_and_delivered_when_it_is_retried(
    app: Flask, client: FlaskClient, calls: list[int], later: MoveClock
) -> None:
    def state() -> str:
        return str(client.get("/readyz").get_json()["checks"]["notices"])

    assert state() == "ok"
    later(timedelta(minutes=20))
    assert state() == "delayed"
    later(subscribers.MAX_AGE + timedelta(minutes=1))
    assert run(app, "deliver").stdout == "1 delivery attempt.\n"

    assert state() == "failed"
    [row] = [line.split("\t") for line in run(app, "list", "--state", "failed").stdout.splitlines()[1:]]
    assert (row[1:4], row[6]) == (["failed", "event", "shop.subscribe"], "LookupError")
    assert run(app, "retry", "--all").stdout == "1 notice queued for delivery.\n"
    calls.append(0)
    run(app, "deliver")

    assert state() == "ok"
    assert len(calls) == 2


def test_only_old_notices_that_were_sent_or_failed_are_pruned(app: Flask, calls: list[int], later: MoveClock) -> None:
    calls.append(0)
    run(app, "deliver")
    with app.app_context():
        audit_log.record("user.deleted", "user", 8)
        db.session.commit()

    later(notices.KEEP_SENT - timedelta(minutes=1))
    assert run(app, "prune").stdout == "0 notices deleted.\n"
    later(notices.KEEP_SENT + timedelta(minutes=1))
    assert run(app, "prune").stdout == "1 notice deleted.\n"
    execute_sql(app, "UPDATE notices SET due_at = NULL, failed_at = created_at")
    assert run(app, "prune").stdout == "0 notices deleted.\n"
    later(notices.KEEP_FAILED + timedelta(minutes=1))
    assert run(app, "prune").stdout == "1 notice deleted.\n"


def test_a_server_with_an_extension_delivers_notices_and_prunes_old_ones(make_app: Callable[..., Flask]) -> None:
    app, called = make_app(MAIL_DELIVERY="thread"), threading.Event()
    hooks.register(app, "shop", after=[After("user.created", lambda _event: called.set(), "note")])
    subscribers.configure(app)
    with app.app_context():
        notices.queue("event", "shop.gone", {})
        db.session.commit()
    execute_sql(app, "UPDATE notices SET created_at = '2020-01-01 00:00:00', sent_at = '2020-01-01', due_at = NULL")

    assert app.test_client().post("/userapi/users/", json=new_user()).status_code == 201

    assert called.wait(30)
    wait_until(lambda: fetch_number(app, "SELECT count(*) FROM notices WHERE sent_at < '2021-01-01'") == 0)


def test_a_notice_that_was_sent_cannot_be_retried(app: Flask, calls: list[int]) -> None:
    calls.append(0)
    run(app, "deliver")
    notice_id = fetch_number(app, "SELECT id FROM notices")

    assert run(app, "retry").exit_code == 2
    assert run(app, "retry", str(notice_id)).exit_code == 1
    assert len(calls) == 2


def test_what_is_queued_for_a_recipient_is_retried_before_its_time(app: Flask) -> None:
    with app.app_context():
        for recipient in ("shop", "shop", "shop", "club"):
            notices.queue("logout", recipient, {})
        db.session.commit()
    execute_sql(app, "UPDATE notices SET due_at = '2100-01-01 00:00:00'")
    first = fetch_number(app, "SELECT min(id) FROM notices")
    execute_sql(app, "UPDATE notices SET due_at = NULL, failed_at = created_at WHERE id = :id", id=first)
    execute_sql(app, "UPDATE notices SET due_at = NULL, sent_at = created_at WHERE id = :id", id=first + 1)

    assert run(app, "retry", "--recipient", "shop").stdout == "2 notices queued for delivery.\n"

    listed = run(app, "list", "--kind", "logout", "--recipient", "shop", "--state", "due").stdout
    assert [line.split("\t")[0] for line in listed.splitlines()[1:]] == [str(first + 2), str(first)]
    assert run(app, "list", "--kind", "event").stdout.count("\n") == 1
    assert fetch_number(app, "SELECT count(*) FROM notices WHERE due_at > '2099-01-01'") == 1


@pytest.mark.slow
def test_notices_are_scheduled_only_if_something_sends_them(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    env = commands.environment(url, tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0", OPENID_PROVIDER="false")
    (tmp_path / "club.py").write_text(
        "from userapi.extending import Extension, after\n"
        "def greet(event):\n    print('greeted', event.user_id)\n"
        "extension = Extension('club', subscribers=[after('user.created', greet)])\n"
    )
    show = "from userapi import worker; print(*worker.celery.conf.beat_schedule, sep=';'); worker.deliver_notices()"
    assert commands.run(*commands.FLASK, "db", "upgrade", env=env).code == 0

    without = commands.run(sys.executable, "-c", show, env=env)
    extended = env | {"EXTENSIONS": "club:extension", "PYTHONPATH": f"{tmp_path}:{env.get('PYTHONPATH', '')}"}
    made = "from userapi.serving import app; from userapi.audit import audit_log; from userapi.core.db import db\n"
    made += "with app.app_context():\n audit_log.record('user.created', 'user', 7); db.session.commit()"
    assert commands.run(sys.executable, "-c", made, env=extended).code == 0
    served = commands.run(sys.executable, "-c", show, env=extended)

    assert "deliver notices" not in without.output
    assert "deliver notices" in served.output
    assert "greeted 7" in served.output
    with sqlite3.connect(tmp_path / "test.db") as database:
        assert database.execute("SELECT count(*) FROM notices WHERE sent_at IS NOT NULL").fetchone() == (1,)
