"""Health checks: what each of the four places reports, and what it costs."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from tests.support import servers
from tests.support.api_client import ApiClient
from tests.support.app_config import app_config
from tests.support.databases import close_app
from tests.support.factories import make_user, new_user
from tests.support.form_browser import FormBrowser
from tests.support.prometheus import METRICS_TOKEN, metric_value, scrape_metrics
from userapi.app import create_app
from userapi.core import clock, disk
from userapi.core.db import db
from userapi.mail import emails
from userapi.mail.models import EmailMessage
from userapi.security import signing_keys
from userapi.transfer.models import ImportJob

pytestmark = pytest.mark.both

PARTS = ("database", "migrations", "keys", "disk", "email", "worker")
LONG_AGO = timedelta(minutes=20)


def test_O08_health_checks_reveal_no_version_setting_or_address(mail_app: Flask) -> None:
    client = mail_app.test_client()
    liveness, ready = client.get("/healthz"), client.get("/readyz")

    assert liveness.get_json() == {"status": "ok"}
    assert ready.get_json() == {"status": "ok", "checks": dict.fromkeys(PARTS, "ok")}


def test_O08_readiness_reports_redis_and_stays_ready_without_it(
    make_app: Callable[..., Flask],
) -> None:
    with servers.redis_server() as url:
        client = make_app(REDIS_URL=url, METRICS_TOKEN=METRICS_TOKEN).test_client()
        assert client.get("/readyz").get_json()["checks"]["redis"] == "ok"

    response = client.get("/readyz")

    assert (response.status_code, response.get_json()["checks"]["redis"]) == (200, "unreachable")


def test_O08_liveness_does_not_use_the_database(app: Flask, client: FlaskClient) -> None:
    statements: list[str] = []

    def note(*_arguments: object) -> None:
        statements.append("statement")

    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        sa.event.listen(engine, "checkout", note)
    assert client.get("/readyz").status_code == 200
    assert statements
    statements.clear()

    assert client.get("/healthz").status_code == 200
    for engine in engines:
        sa.event.remove(engine, "checkout", note)
    assert not statements


# --- Each part broken, in all four places -----------------------------------------------------------------


@contextmanager
def not_broken(_app: Flask) -> Iterator[None]:
    yield


@contextmanager
def at_an_older_migration(app: Flask) -> Iterator[None]:
    _execute(app, "UPDATE alembic_version SET version_num = '0001'")
    yield


@contextmanager
def without_keys(app: Flask) -> Iterator[None]:
    shutil.rmtree(app.config["JWT_KEY_DIR"])
    yield


@contextmanager
def on_a_full_disk(app: Flask) -> Iterator[None]:
    """Simulate a full disk: SQLite may use no more pages, PostgreSQL raises 53100."""
    with app.app_context():
        engine = db.engine
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "checkout", lambda connection, *_rest: connection.execute("PRAGMA max_page_count = 1"))
    else:
        raising = "BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END"
        _execute(
            app,
            f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $${raising}$$",
            "CREATE TRIGGER full_disk BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
    while app.test_client().post("/userapi/users/", json=new_user()).status_code != 503:
        pass  # SQLite still has space in its last pages
    yield


@contextmanager
def with_a_delayed_email(app: Flask) -> Iterator[None]:
    _queue_email(app, due_at=clock.now() + timedelta(minutes=1), attempts=1, last_error="451 4.3.0 Try again later")
    yield


@contextmanager
def with_an_email_that_no_worker_sends(app: Flask) -> Iterator[None]:
    _queue_email(app, due_at=clock.now() - LONG_AGO)
    yield


@contextmanager
def with_an_import_that_no_worker_starts(app: Flask) -> Iterator[None]:
    with app.app_context():
        started = clock.now() - LONG_AGO
        facts: dict[str, Any] = {"kind": "csv", "size": 1, "total": 1, "dry_run": True, "on_conflict": "skip"}
        db.session.add(ImportJob(created_at=started, file_name="people.csv", state="waiting", **facts))
        db.session.commit()
    yield


def _execute(app: Flask, *statements: str) -> None:
    with app.app_context(), db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _queue_email(app: Flask, **state: Any) -> None:
    with app.app_context():
        emails.send_password_reset(emails.Recipient("a@example.com"), link="http://x/", secret="t0ken", minutes=60)
        db.session.flush()
        db.session.execute(sa.update(EmailMessage).values(created_at=clock.now() - LONG_AGO, **state))
        db.session.commit()


def signed_in(app: Flask, **overrides: Any) -> FormBrowser:
    """A staff client."""
    email = f"staff-{len(overrides)}@example.com"
    make_user(app, email=email, is_staff=True, **overrides)
    browser = FormBrowser(app)
    assert browser.sign_in(email).status_code == 303
    return browser


class Broken(NamedTuple):
    """A broken part.

    Attributes:
        part: its name.
        state: the state in JSON.
        label: the state on the overview page.
        words: part of the line printed by `flask doctor`.
        how: a function that breaks it.
        settings: settings that break it.
        is_ready: whether requests are still served.
    """

    part: str
    state: str
    label: str
    words: str
    how: Callable[[Flask], AbstractContextManager[None]] = not_broken
    settings: dict[str, str] = {}
    is_ready: bool = True


SINK = {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": "1", "MAIL_DELIVERY": "none"}

BROKEN = {
    "migrations": Broken(
        "migrations", "pending", "Migration pending", "flask db upgrade", at_an_older_migration, SINK, is_ready=False
    ),
    "keys": Broken("keys", "missing", "Missing", "flask keys rotate", without_keys, SINK, is_ready=False),
    "disk": Broken("disk", "disk full", "Disk full", "disk was full", on_a_full_disk, SINK),
    "no mail server": Broken("email", "not configured", "Not configured", "MAIL_SERVER is not set"),
    "mail server": Broken("email", "delayed", "Delayed", "451 4.3.0 Try again later", with_a_delayed_email, SINK),
    "mail worker": Broken("worker", "stopped", "Stopped", "MAIL_DELIVERY", with_an_email_that_no_worker_sends, SINK),
    "import worker": Broken(
        "worker", "stopped", "Stopped", "has started them", with_an_import_that_no_worker_starts, SINK
    ),
    "redis": Broken(
        "redis", "unreachable", "Unreachable", "REDIS_URL", settings={"REDIS_URL": "redis://127.0.0.1:1/0"}
    ),
}


@pytest.fixture
def make_healthy(new_database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes applications with their own databases and keys, which a test may break."""
    made: list[Flask] = []

    def make_breakable_app(**overrides: str) -> Flask:
        signing_keys.KeyRing(tmp_path / "keys").add()
        app = create_app(app_config(new_database_url, str(tmp_path / "keys"), METRICS_TOKEN=METRICS_TOKEN, **overrides))
        app.test_client_class = ApiClient
        with app.app_context():
            upgrade()
        made.append(app)
        return app

    yield make_breakable_app
    for app in made:
        close_app(app)


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_all_four_places_report_what_is_broken(broken: Broken, make_healthy: Callable[..., Flask]) -> None:
    app = make_healthy(**broken.settings)
    boss = signed_in(app, is_superuser=True)
    if broken.how is not not_broken:
        assert app.test_client().get("/readyz").get_json()["checks"][broken.part] == "ok"

    with broken.how(app):
        ready = app.test_client().get("/readyz")
        metrics = scrape_metrics(app)
        report = app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout
        overview = boss.get("/admin/").text

    assert ready.get_json()["checks"][broken.part] == broken.state
    assert ready.status_code == (200 if broken.is_ready else 503)
    assert metric_value(metrics, "userapi_ready", check=broken.part) == 0
    lines = [json.loads(line) for line in report.splitlines()]
    found = [line for line in lines if line["subject"] == broken.part and line["level"] != "ok"]
    assert [line for line in found if broken.words in line["text"]], report
    assert f": {broken.label}</strong>" in overview


def test_an_unreachable_database_is_reported_where_no_database_is_needed(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    app = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/test.db", METRICS_TOKEN=METRICS_TOKEN, **SINK)

    ready = app.test_client().get("/readyz")
    report = app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout

    states = ready.get_json()["checks"]
    assert ready.status_code == 503
    assert states["database"] == "unreachable"
    assert {states[part] for part in ("migrations", "email", "worker")} == {"unknown"}
    assert metric_value(scrape_metrics(app), "userapi_ready", check="database") == 0
    (trouble,) = [line for line in map(json.loads, report.splitlines()) if line["subject"] == "database"]
    assert trouble["text"].startswith("DATABASE_URL: unable to open database file (sqlite:///")


def test_the_log_names_a_full_disk(make_healthy: Callable[..., Flask], capfd: pytest.CaptureFixture[str]) -> None:
    app = make_healthy()

    with on_a_full_disk(app):
        logged = capfd.readouterr().err

    assert '"event":"disk full"' in logged


def test_readiness_names_the_full_disk_of_a_sqlite_file_before_anything_is_written(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path: usage._replace(free=0))

    state = app.test_client().get("/readyz").get_json()["checks"]["disk"]

    with app.app_context():
        assert state == ("disk full" if db.engine.dialect.name == "sqlite" else "ok")


def test_without_a_mail_server_the_overview_names_the_setting_and_links_the_emails(app: Flask) -> None:
    overview = signed_in(app, is_superuser=True).get("/admin/").text
    line = overview.partition("Email delivery:")[2].partition("</li>")[0]

    assert "Not configured" in line
    assert "Set MAIL_SERVER" in line
    assert 'href="/admin/emails/?state=due"' in line
    limited = signed_in(app).get("/admin/").text.partition("Email delivery:")[2].partition("</li>")[0]
    assert "Not configured" in limited
    assert "/admin/emails/" not in limited
