"""`flask doctor`: for each real failure, a line says what to do."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import processes
import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

from tests.support import commands, servers
from tests.support.app_config import SECRET_KEY
from tests.support.doctor import findings_at, run_doctor
from userapi import VERSION
from userapi.core import clock
from userapi.core.db import db
from userapi.mail import emails

pytestmark = pytest.mark.both


def test_every_check_of_a_healthy_service_prints_one_ok_line(
    healthy: Callable[..., Flask], sink: servers.SmtpSink
) -> None:
    app = healthy(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port))

    result = app.test_cli_runner().invoke(args=["doctor"])

    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) >= 10
    assert all(line.startswith("ok  ") for line in lines), result.stdout


def test_C05_no_secret_is_printed(healthy: Callable[..., Flask]) -> None:
    secrets = {"METRICS_TOKEN": "Zt7Rw2LpY8sUe5HbN4cJ6aGvK3x9QmAd", "MAIL_PASSWORD": "hunter2hunter2"}
    urls = {"REDIS_URL": "redis://:redispass@127.0.0.1:1/0"}
    mail = {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": "1", "MAIL_USERNAME": "us"}
    app = healthy(DATABASE_URL="postgresql://us:pgpass@127.0.0.1:1/none", **secrets, **urls, **mail)

    result = app.test_cli_runner().invoke(args=["doctor"])

    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.stdout
    for secret in (SECRET_KEY, *secrets.values(), "redispass", "pgpass"):
        assert secret not in result.output


def test_reports_an_unreachable_database(healthy: Callable[..., Flask]) -> None:
    assert run_doctor(healthy())[0] == 0

    code, findings = run_doctor(healthy(DATABASE_URL="postgresql://us@127.0.0.1:1/none"))

    assert code == 1
    (finding,) = findings_at(findings, "error")
    assert finding.startswith("DATABASE_URL: ")


def test_U07_reports_a_database_that_is_behind_or_ahead_of_the_code(
    healthy: Callable[..., Flask], tmp_path: Path
) -> None:
    app = healthy(DATABASE_URL=f"sqlite:///{tmp_path}/behind.db")
    with app.app_context():
        upgrade(revision="0002")
    (finding,) = findings_at(run_doctor(app)[1], "error")
    assert "flask db upgrade" in finding
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.get_json()["checks"]["migrations"]) == (503, "pending")

    with app.app_context():
        upgrade()
    assert run_doctor(app)[0] == 0
    assert app.test_client().get("/readyz").status_code == 200

    with app.app_context():
        db.session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        db.session.commit()
    (finding,) = findings_at(run_doctor(app)[1], "error")
    assert "does not know" in finding
    assert app.test_client().get("/readyz").status_code == 503


def test_C05_reports_files_that_others_can_read(healthy: Callable[..., Flask], tmp_path: Path) -> None:
    app = healthy(DATABASE_URL=f"sqlite:///{tmp_path}/open.db")
    with app.app_context():
        upgrade()
    assert run_doctor(app)[0] == 0

    (key,) = (tmp_path / "keys").glob("*.pem")
    for path in (key, tmp_path / "open.db"):
        path.chmod(0o644)
        (finding,) = findings_at(run_doctor(app)[1], "error")
        assert f"chmod 600 {path}" in finding
        path.chmod(0o600)


def test_reports_a_missing_broken_or_old_key(
    healthy: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = healthy()
    (path,) = (tmp_path / "keys").glob("*.pem")
    content = path.read_bytes()

    path.write_text("no key")
    assert findings_at(run_doctor(app)[1], "error") == [
        f"JWT_KEY_DIR: {path.name} is not an unencrypted PEM private key"
    ]
    path.unlink()
    (finding,) = findings_at(run_doctor(app)[1], "error")
    assert "flask keys rotate" in finding
    path.write_bytes(content)
    path.chmod(0o600)
    old = (datetime.now() - timedelta(days=400)).timestamp()
    os.utime(path, (old, old))

    code, findings = run_doctor(app)

    assert code == 0
    assert [text for text in findings_at(findings, "warning") if "400 days old" in text]


def test_reports_that_redis_is_stopped(healthy: Callable[..., Flask]) -> None:
    with servers.redis_server() as url:
        app = healthy(REDIS_URL=url)
        assert run_doctor(app)[0] == 0

    (finding,) = findings_at(run_doctor(app)[1], "error")

    assert finding.startswith("REDIS_URL: ")


def test_X11_reports_a_clock_that_differs_from_that_of_redis(
    healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now
    with servers.redis_server() as url:
        app = healthy(REDIS_URL=url)
        assert [text for text in findings_at(run_doctor(app)[1], "ok") if text == "same time as Redis"]

        monkeypatch.setattr(clock, "now", lambda: now() + timedelta(seconds=30))
        assert [
            text for text in findings_at(run_doctor(app)[1], "warning") if "30 s apart from the clock of Redis" in text
        ]
        monkeypatch.setattr(clock, "now", lambda: now() - timedelta(seconds=90))
        assert [
            text for text in findings_at(run_doctor(app)[1], "error") if "90 s apart from the clock of Redis" in text
        ]


def test_X11_reports_a_clock_that_differs_from_that_of_the_database(
    postgresql: str, healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, app = clock.now, healthy(DATABASE_URL=postgresql)
    assert [text for text in findings_at(run_doctor(app)[1], "ok") if text == "same time as the database server"]

    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(seconds=90))

    assert [
        text
        for text in findings_at(run_doctor(app)[1], "error")
        if "90 s apart from the clock of the database server" in text
    ]


def test_reports_more_connections_than_postgresql_allows(postgresql: str, healthy: Callable[..., Flask]) -> None:
    def warnings(**settings: str) -> list[str]:
        return findings_at(run_doctor(healthy(DATABASE_URL=postgresql, **settings))[1], "warning")

    assert not [text for text in warnings() if "max_connections" in text]

    assert [text for text in warnings(DATABASE_POOL_SIZE="100") if "220 connections" in text and "is 100" in text]


def test_reports_an_unreachable_mail_server_and_stuck_emails(
    healthy: Callable[..., Flask], sink: servers.SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, findings = run_doctor(healthy())
    assert (code, [text[:11] for text in findings_at(findings, "warning")]) == (0, ["MAIL_SERVER"])
    away = healthy(MAIL_SERVER="127.0.0.1", MAIL_PORT=str(processes.free_port()))
    (finding,) = findings_at(run_doctor(away)[1], "error")
    assert finding.startswith("MAIL_SERVER: 127.0.0.1:")
    mandatory = healthy(EMAIL_VERIFICATION="mandatory")
    assert [text for text in findings_at(run_doctor(mandatory)[1], "error") if "no new user can sign in" in text]

    app = healthy(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none")
    with app.app_context():
        emails.send_password_reset(emails.Recipient("a@example.com"), link="http://x/", secret="t0ken", minutes=60)
        db.session.commit()
    assert run_doctor(app)[0] == 0
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=16))
    stuck = f"1 queued, the oldest since {now:%Y-%m-%d %H:%M} UTC: no delivery was attempted."
    assert [text for text in findings_at(run_doctor(app)[1], "error") if text.startswith(stuck)]

    monkeypatch.undo()
    sink.rejected_recipients.add("a@example.com")
    app.test_cli_runner().invoke(args=["mail", "deliver"])
    assert [text for text in findings_at(run_doctor(app)[1], "warning") if "flask mail retry" in text]


def test_names_pending_migrations_and_the_hosts_they_affect(healthy: Callable[..., Flask], tmp_path: Path) -> None:
    app = healthy(DATABASE_URL=f"sqlite:///{tmp_path}/behind.db")
    with app.app_context():
        upgrade(revision="0006")

    (line,) = findings_at(run_doctor(app)[1], "error")

    assert line.startswith("pending: 0007 to ")
    assert "every host that uses this database" in line


def test_prints_the_version(healthy: Callable[..., Flask]) -> None:
    assert [
        text
        for text in findings_at(run_doctor(healthy())[1], "ok")
        if text.startswith(f"userapi {VERSION} on Python 3.")
    ]


def test_C07_the_real_command_checks_the_real_environment(tmp_path: Path) -> None:
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path)

    done = commands.run(*commands.FLASK, "doctor", env=env, cwd=tmp_path)

    assert (done.code, done.errors.count("\n")) == (1, 1)
    assert "flask db upgrade" in done.output
    assert "flask keys rotate" in done.output
    wrong = commands.run(*commands.FLASK, "doctor", env=env | {"WORKERS": "many"}, cwd=tmp_path)
    assert wrong.is_one_line
    assert wrong.errors.startswith("userapi: WORKERS: ")
