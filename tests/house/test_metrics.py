"""Metrics: what is counted, who can read it, and that it contains no personal data."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.hash_queue import full_queue
from tests.support.prometheus import METRICS_TOKEN, metric_value, scrape_metrics
from userapi.core.db import db
from userapi.mail import emails
from userapi.security import hashing_threads
from userapi.users import accounts

pytestmark = pytest.mark.both


@pytest.fixture
def watched(make_app: Callable[..., Flask]) -> Flask:
    """An application with a token for its metrics."""
    return make_app(METRICS_TOKEN=METRICS_TOKEN)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        f"Bearer {METRICS_TOKEN[:-1]}",
        f"Bearer {METRICS_TOKEN}x",
        f"Basic {METRICS_TOKEN}",
        METRICS_TOKEN,
        "Bearer \xe9",
    ],
)
def test_O08_reading_metrics_needs_the_token(watched: Flask, sent: str) -> None:
    client = watched.test_client()
    assert client.get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}).status_code == 200

    rejected = client.get("/metrics", headers={"Authorization": sent} if sent else {})

    assert rejected.status_code == 401
    assert rejected.headers["WWW-Authenticate"].startswith("Bearer")
    assert b"userapi_" not in rejected.data


def test_O08_an_access_token_of_staff_cannot_read_metrics(watched: Flask) -> None:
    make_user(watched, email="root@example.com", is_staff=True, is_superuser=True)
    token = sign_in(watched, "root@example.com")["access_token"]

    assert watched.test_client().get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(
    ("site", "address", "status"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", 200),
        ("http://localhost:8000", "::1", 200),
        ("http://127.0.0.1:8000", "192.0.2.7", 404),
        ("https://accounts.example.com", "127.0.0.1", 404),
        ("http://accounts.example.com", "127.0.0.1", 404),
    ],
)
def test_O08_metrics_need_no_token_in_development(
    make_app: Callable[..., Flask], site: str, address: str, status: int
) -> None:
    client = make_app(SITE_URL=site).test_client()

    assert client.get("/metrics", environ_base={"REMOTE_ADDR": address}).status_code == status


def test_O09_sign_ins_failures_edits_reuse_and_throttled_attempts_are_counted(make_app: Callable[..., Flask]) -> None:
    app = make_app(METRICS_TOKEN=METRICS_TOKEN, RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_PAIR="3 per hour")
    make_user(app, email="ada@example.com")
    before, client = scrape_metrics(app), app.test_client()

    first = sign_in(app, "ada@example.com")
    for _ in range(5):
        client.post("/api-token-auth/", json={"email": "ada@example.com", "password": "not the password"})
    bearer = {"Authorization": f"Bearer {first['access_token']}"}
    client.patch("/userapi/auth/user/", json={"first_name": "Ada"}, headers=bearer)
    refresh = {"refresh_token": first["refresh_token"]}
    successor = client.post("/api-token-refresh/", json=refresh).get_json()
    client.post("/api-token-refresh/", json={"refresh_token": successor["refresh_token"]})
    assert client.post("/api-token-refresh/", json=refresh).get_json()["code"] == "token_reused"

    after = scrape_metrics(app)
    for action, times in (("session.started", 1), ("sign_in.failed", 3), ("session.token_reused", 1)):
        assert metric_value(before, "userapi_audit_events_total", action=action) == 0
        assert metric_value(after, "userapi_audit_events_total", action=action) == times
    assert metric_value(after, "userapi_audit_events_total", action="user.changed") == 1
    assert metric_value(before, "userapi_throttled_total", throttle="sign_in_pair") == 0
    assert metric_value(after, "userapi_throttled_total", throttle="sign_in_pair") == 2


def test_O09_rolled_back_events_are_not_counted(watched: Flask) -> None:
    name = "userapi_audit_events_total"
    with watched.app_context():
        with db.session.begin_nested():
            accounts.create(**new_user(profile=None))
        db.session.rollback()
        accounts.create(**new_user(profile=None))
        with db.session.begin_nested() as savepoint:
            accounts.create(**new_user(profile=None))
            savepoint.rollback()
        assert metric_value(scrape_metrics(watched), name, action="user.created") is None

        db.session.commit()
        db.session.commit()

    assert metric_value(scrape_metrics(watched), name, action="user.created") == 1


def test_requests_are_counted_by_route_method_and_status_class(watched: Flask) -> None:
    make_user(watched, email="ada@example.com")
    client = watched.test_client()
    headers = {"Authorization": f"Bearer {sign_in(watched, 'ada@example.com')['access_token']}"}
    for _ in range(3):
        client.get("/userapi/auth/user/", headers=headers)
    client.get("/userapi/auth/user/")
    client.get("/nothing/here")
    client.open("/userapi/auth/user/", method="BREW", headers=headers)

    values = scrape_metrics(watched)

    def count(**labels: str) -> float | None:
        return metric_value(values, "userapi_request_duration_seconds_count", **labels)

    assert count(route="/userapi/auth/user/", method="GET", status="2xx") == 3
    assert count(route="/userapi/auth/user/", method="GET", status="4xx") == 1
    assert count(route="unmatched", method="GET", status="4xx") == 1
    assert count(route="unmatched", method="other", status="4xx") == 1
    slowest = {"route": "/userapi/auth/user/", "method": "GET", "status": "2xx", "le": "+Inf"}
    assert metric_value(values, "userapi_request_duration_seconds_bucket", **slowest) == 3


def test_clients_cannot_add_metrics_and_are_not_identified_in_them(watched: Flask) -> None:
    make_user(watched, email="ada@example.com")
    client = watched.test_client()

    def ask(number: int) -> None:
        client.get(f"/userapi/users/{number}/")
        client.get(f"/stray-{number}/")
        client.open("/userapi/", method=f"METHOD{number}")
        client.post("/api-token-auth/", json={"email": f"ada{number}@example.com", "password": PASSWORD})

    ask(1)
    before = set(scrape_metrics(watched))
    for number in range(2, 20):
        ask(number)

    after = set(scrape_metrics(watched))
    assert after == set(scrape_metrics(watched))
    assert {name for name, _labels in after - before} <= {"userapi_request_duration_seconds_bucket"} | {
        f"userapi_request_duration_seconds_{part}" for part in ("count", "sum")
    }
    assert len({labels for _name, labels in after - before if dict(labels).get("route") != "/metrics"}) == 0
    assert not re.search(r"ada|example\.com|stray|METHOD", json.dumps([list(labels) for _name, labels in after]))


def test_metrics_report_queued_emails_keys_and_health_checks(watched: Flask) -> None:
    assert metric_value(scrape_metrics(watched), "userapi_outbox_letters") == 0

    with watched.app_context():
        for name in ("one", "two"):
            address = f"{name}@example.com"
            emails.send_password_reset(emails.Recipient(address), link="http://x/", secret="t0ken", minutes=60)
        db.session.commit()
        db.session.execute(sa.text("UPDATE messages SET created_at = '2020-01-01 00:00:00'"))
        db.session.commit()

    values = scrape_metrics(watched)
    for name in ("userapi_queued_emails", "userapi_outbox_letters"):
        assert metric_value(values, name) == 2
    for name in ("userapi_oldest_queued_email_seconds", "userapi_outbox_oldest_letter_seconds"):
        assert (metric_value(values, name) or 0) > 5 * 365 * 86400
    assert metric_value(values, "userapi_signing_keys") == 1
    assert 0 <= (metric_value(values, "userapi_signing_key_age_seconds") or -1) < 86400
    assert [metric_value(values, "userapi_ready", check=part) for part in ("database", "migrations", "keys")] == [
        1,
        1,
        1,
    ]


def test_metrics_work_without_the_database(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nowhere/test.db"
    app = make_app(METRICS_TOKEN=METRICS_TOKEN, DATABASE_URL=url)
    app.test_client().post("/userapi/users/", json=new_user())

    values = scrape_metrics(app)

    assert metric_value(values, "userapi_ready", check="database") == 0
    assert metric_value(values, "userapi_signing_keys") == 1
    assert metric_value(values, "userapi_outbox_letters") is None
    assert metric_value(values, "userapi_database_unavailable_total", error="OperationalError") == 1


def test_hashing_slots_are_counted_while_in_use_and_when_exhausted(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(METRICS_TOKEN=METRICS_TOKEN)
    make_user(app, email="ada@example.com")
    with app.app_context():
        during = hashing_threads.get_hashing(app).run(lambda: scrape_metrics(app))
    with full_queue(hashing_threads.get_hashing(app).normal.queue):
        credentials = {"email": "ada@example.com", "password": PASSWORD}
        assert app.test_client().post("/api-token-auth/", json=credentials).status_code == 503

    after = scrape_metrics(app)
    assert metric_value(during, "userapi_password_hashing_places_in_use") == 1
    assert metric_value(after, "userapi_password_hashing_places_in_use") == 0
    assert metric_value(during, "userapi_password_hashing_refused_total") == 0
    assert metric_value(after, "userapi_password_hashing_refused_total") == 1


def test_database_connections_in_use_are_counted(watched: Flask) -> None:
    with watched.app_context():
        db.session.execute(sa.text("SELECT 1"))
        during = scrape_metrics(watched)
        db.session.rollback()

    after = scrape_metrics(watched)
    assert metric_value(during, "userapi_database_connections_in_use", use="writing") == 1
    assert metric_value(after, "userapi_database_connections_in_use", use="writing") == 0
