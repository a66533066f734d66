"""`flask doctor`: for each real failure, a line says what to do."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import processes
import pytest
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from flask import Flask
from flask_migrate import upgrade

from tests.support import commands, servers
from tests.support.app_config import SECRET_KEY
from userapi import VERSION
from userapi.core import clock
from userapi.core.db import db
from userapi.mail import emails
from userapi.security import signing_keys

pytestmark = pytest.mark.both

Findings = list[dict[str, str]]


@pytest.fixture
def healthy(make_app: Callable[..., Flask], tmp_path: Path) -> Callable[..., Flask]:
    """Makes healthy applications with their own key folders; arguments break one thing each."""
    signing_keys.KeyRing(tmp_path / "keys").add()

    def make_healthy_app(**overrides: str) -> Flask:
        well = {"SITE_URL": "http://127.0.0.1:8000", "RATELIMIT_ENABLED": "true", "WORKERS": "1"}
        return make_app(**well | {"JWT_KEY_DIR": str(tmp_path / "keys")} | overrides)

    return make_healthy_app


def run_doctor(app: Flask) -> tuple[int, Findings]:
    """The exit code and the findings."""
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    findings = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code == 1) == any(finding["level"] == "error" for finding in findings)
    assert result.stderr.count("\n") == result.exit_code
    return result.exit_code, findings


def findings_at(findings: Findings, level: str) -> list[str]:
    return [finding["text"] for finding in findings if finding["level"] == level]


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


@pytest.mark.parametrize(
    ("level", "word", "settings"),
    [
        ("error", "Use https", {"SITE_URL": "http://accounts.example.com"}),
        ("warning", "TRUSTED_PROXIES is 0", {"SITE_URL": "https://accounts.example.com"}),
        ("warning", "RATELIMIT_ENABLED", {"RATELIMIT_ENABLED": "false"}),
        ("warning", "REDIS_URL", {"WORKERS": "3"}),
        ("warning", "WORKERS is 250", {"WORKERS": "250"}),
    ],
)
def test_warns_of_risky_settings(
    healthy: Callable[..., Flask], level: str, word: str, settings: dict[str, str]
) -> None:
    assert not [text for text in findings_at(run_doctor(healthy())[1], level) if word in text]

    assert [text for text in findings_at(run_doctor(healthy(**settings))[1], level) if word in text]


@pytest.mark.parametrize(
    ("variable", "setting"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("SECRETKEY_FILE", "SECRET_KEY_FILE"),
        ("CORS_ORIGIN", "CORS_ORIGINS"),
        ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
        ("mail_server", "MAIL_SERVER"),
        ("USERAPI_PORT", "PORT"),
        ("RATELIMIT_SIGNIN_PAIR", "RATELIMIT_SIGN_IN_PAIR"),
        ("MAIL_HOST", "docs/settings.md"),
    ],
)
def test_names_a_variable_that_looks_like_a_misspelt_setting(
    healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, variable: str, setting: str
) -> None:
    app = healthy()
    assert not [text for text in findings_at(run_doctor(app)[1], "warning") if "no such setting" in text]

    monkeypatch.setenv(variable, "a secret value")

    (line,) = [text for text in findings_at(run_doctor(app)[1], "warning") if "no such setting" in text]
    assert line.startswith(f"{variable} is set")
    assert setting in line
    assert "a secret value" not in line


@pytest.mark.parametrize("suffix", ["", "_FILE"])
def test_names_the_old_name_of_a_setting(
    healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    app = healthy()
    monkeypatch.setenv(f"RATELIMIT_SIGN_IN_ADDRESS{suffix}", "5 per hour")

    warnings = findings_at(run_doctor(app)[1], "warning")

    assert f"RATELIMIT_SIGN_IN_ADDRESS{suffix} is the old name of RATELIMIT_SIGN_IN_IP{suffix}. Rename it." in warnings
    assert not [text for text in warnings if "no such setting" in text]


def test_does_not_name_an_old_name_without_a_value(
    healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = healthy()
    monkeypatch.setenv("RATELIMIT_SIGN_IN_ADDRESS", "")

    assert not [text for text in findings_at(run_doctor(app)[1], "warning") if "old name" in text]


def test_does_not_name_variables_of_other_programs(
    healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = (
        "PATH HOME HOSTNAME LANGUAGE LANG LC_ALL MAIL MAILCHECK LOGNAME SHELL SESSION_MANAGER POSTGRES_PASSWORD "
        "PGHOST PGDATABASE REDIS_HOST VIRTUAL_ENV DEBUG FLASK_APP FLASK_ENV OTEL_SERVICE_NAME SSL_CERT_FILE "
        "GUNICORN_CMD_ARGS WEB_CONCURRENCY USER_PASSWORD DISPLAY EDITOR PYTHONPATH NODE_ENV HTTP_PROXY"
    )
    for name in foreign.split():
        monkeypatch.setenv(name, "en" if name.startswith("L") else "/x")

    assert not [text for text in findings_at(run_doctor(healthy())[1], "warning") if "no such setting" in text]


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


@pytest.mark.parametrize(
    "settings",
    [
        {"MAIL_USERNAME": "jörg", "MAIL_PASSWORD": "pässwörd"},
        {"MAIL_DEFAULT_SENDER": "no-reply@bücher.example"},
        {"SITE_URL": "http://bücher.example"},
    ],
)
def test_mail_settings_that_are_not_ascii_are_checked_too(
    healthy: Callable[..., Flask], settings: dict[str, str]
) -> None:
    def accept(_server: SMTP, _session: Session, _envelope: Envelope, _kind: str, given: LoginPassword) -> AuthResult:
        return AuthResult(success=(given.login, given.password) == ("jörg".encode(), "pässwörd".encode()))

    with servers.smtp_sink(authenticator=accept, auth_require_tls=False) as sink:
        app = healthy(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), **settings)

        lines = [line for line in run_doctor(app)[1] if line["subject"] in ("email", "mail")]

    assert {line["level"] for line in lines} == {"ok"}, lines
    assert [line for line in lines if f"{sink.host}:{sink.port}" in line["text"]]


def test_a_mail_setting_that_cannot_be_encoded_gets_one_line(
    healthy: Callable[..., Flask], sink: servers.SmtpSink
) -> None:
    app = healthy(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port))
    app.config["MAIL_DEFAULT_SENDER"] = f"no-reply@{chr(0xE9)}.example"  # after the settings were checked

    (line,) = findings_at(run_doctor(app)[1], "error")

    assert line.startswith("MAIL_SERVER, MAIL_USERNAME, MAIL_PASSWORD, MAIL_DEFAULT_SENDER: ")


def test_C07_the_real_command_checks_the_real_environment(tmp_path: Path) -> None:
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path)

    done = commands.run(*commands.FLASK, "doctor", env=env, cwd=tmp_path)

    assert (done.code, done.errors.count("\n")) == (1, 1)
    assert "flask db upgrade" in done.output
    assert "flask keys rotate" in done.output
    wrong = commands.run(*commands.FLASK, "doctor", env=env | {"WORKERS": "many"}, cwd=tmp_path)
    assert wrong.is_one_line
    assert wrong.errors.startswith("userapi: WORKERS: ")
