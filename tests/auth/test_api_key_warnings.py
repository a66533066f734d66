"""Emails about API keys: before they expire, and when they are used from another IP address."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.sql import fetch_rows
from tests.support.waiting import wait_until
from userapi.auth import api_key_warnings
from userapi.core import clock, job_runner

KEYS = "/userapi/auth/keys/"
DAY = 86400

SetClock = Callable[[float], None]


@pytest.fixture
def days_later(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Moves the clock to a number of days after now."""
    now = clock.now()

    def move(days: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=days))

    return move


def create_key(owner: ApiUser, days: float, keys: str = KEYS) -> dict[str, Any]:
    sent = {"name": "Nightly report", "scopes": ["profile"], "expires_in": int(days * DAY)}
    response = owner.post(keys, json=sent)
    assert response.status_code == 201, response.text
    key: dict[str, Any] = response.get_json()
    return key


def warn(app: Flask) -> int:
    with app.app_context():
        return api_key_warnings.warn_of_ends()


def recipients(app: Flask, kind: str = "api_key_expires") -> list[str]:
    rows = fetch_rows(app, f"SELECT recipient FROM messages WHERE kind = '{kind}' ORDER BY id")
    return [row.recipient for row in rows]


def test_W62_the_owner_is_warned_14_7_and_1_days_before_a_key_expires_once_each(
    app: Flask, user: ApiUser, days_later: SetClock
) -> None:
    key = create_key(user, 90)
    warned = []
    for day in (0, 75, 76.5, 80, 83.5, 84, 88, 89.5, 89.9, 90.1, 91):
        days_later(day)
        warned += [day] * warn(app)
        assert warn(app) == 0

    assert warned == [76.5, 83.5, 89.5]
    assert recipients(app) == [user.email] * 3
    (text,) = {row.text for row in fetch_rows(app, "SELECT text FROM messages WHERE kind = 'api_key_expires'")}
    assert f"Nightly report (…{key['last4']})" in text
    (event,) = fetch_rows(app, "SELECT target_id, origin FROM audit_events WHERE action = 'api_key.expired'")
    assert event.target_id == str(user.id)


@pytest.mark.both
def test_W62_workers_at_the_same_time_warn_once(app: Flask, user: ApiUser, days_later: SetClock) -> None:
    for _key in range(5):
        create_key(user, 90)
    days_later(80)
    start = threading.Barrier(4)
    counts: list[int] = []

    def work() -> None:
        start.wait()
        counts.append(warn(app))

    workers = [threading.Thread(target=work) for _worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sum(counts) == 5
    assert recipients(app) == [user.email] * 5


def test_W62_a_host_that_was_off_sends_only_the_latest_warning(app: Flask, user: ApiUser, days_later: SetClock) -> None:
    create_key(user, 90)
    days_later(89.5)

    assert warn(app) == 1


@pytest.mark.parametrize("days", [0.5, 7])
def test_a_key_that_was_created_for_a_few_days_has_no_warning_from_the_beginning(
    app: Flask, user: ApiUser, days: float
) -> None:
    create_key(user, days)

    assert warn(app) == 0


def test_no_one_is_warned_of_keys_that_are_replaced_revoked_or_of_inactive_users(
    app: Flask, user: ApiUser, other_user: ApiUser, superuser: ApiUser, days_later: SetClock
) -> None:
    replaced, revoked = create_key(user, 30), create_key(user, 30)
    create_key(other_user, 30)
    assert user.post(f"{KEYS}{replaced['id']}/rotate/", json={"overlap": 604800}).status_code == 201
    assert user.delete(f"{KEYS}{revoked['id']}/").status_code == 204
    assert superuser.patch(other_user.url, json={"is_active": False}).status_code == 200
    days_later(6.5)

    assert warn(app) == 0


def test_W62_superusers_are_warned_of_keys_of_service_accounts(
    app: Flask, superuser: ApiUser, staff: ApiUser, days_later: SetClock
) -> None:
    account = superuser.post("/userapi/service-accounts/", json={"name": "report"}).get_json()
    create_key(superuser, 30, f"/userapi/service-accounts/{account['id']}/keys/")
    days_later(20)

    assert warn(app) == 1

    assert recipients(app) == [superuser.email]
    (email,) = fetch_rows(app, "SELECT text FROM messages WHERE kind = 'api_key_expires'")
    assert "of the service account report" in email.text


@pytest.mark.both
def test_the_owner_gets_one_email_when_a_key_is_used_from_another_ip_address(
    app: Flask, client: FlaskClient, user: ApiUser
) -> None:
    headers = {"Authorization": f"Bearer {create_key(user, 30)['key']}"}

    def use(address: str) -> None:
        environ = {"REMOTE_ADDR": address}
        assert client.get("/userapi/auth/user/", headers=headers, environ_base=environ).status_code == 200

    for _time in range(2):
        for address in ("192.0.2.7", "198.51.100.4", "2001:db8::1", "2001:db8::2"):
            use(address)

    assert recipients(app, "api_key_used_elsewhere") == [user.email] * 2
    text = fetch_rows(app, "SELECT text FROM messages WHERE kind = 'api_key_used_elsewhere' ORDER BY id")[0].text
    assert "198.51.100.4" in text
    for number in range(30):
        use(f"203.0.113.{number}")
    assert len(recipients(app, "api_key_used_elsewhere")) == 19


def test_a_server_warns_with_the_thread_that_runs_jobs(
    app: Flask, make_app: Callable[..., Flask], user: ApiUser, days_later: SetClock
) -> None:
    create_key(user, 30)
    days_later(20)
    off = make_app(MAIL_DELIVERY="thread", API_KEY_MAX_LIFETIME="0")
    for job in off.extensions[job_runner.KINDS]:
        with off.app_context():
            job(stop=lambda: False)
    assert recipients(app) == []

    assert make_app(MAIL_DELIVERY="thread").test_client().get("/healthz").status_code == 200

    wait_until(lambda: recipients(app) == [user.email])
