"""Staff sessions, when they end, and the cookie of notices."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.staff_client import StaffClient, staff_client
from userapi.core import clock
from userapi.core.db import db


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def test_A06_a_stolen_copy_of_the_cookie_is_invalid_after_signing_out(superuser: StaffClient) -> None:
    stolen = superuser.client.get_cookie("access_token")
    assert stolen is not None
    thief = superuser.app.test_client()
    thief.set_cookie("access_token", stolen.value)
    assert thief.get("/admin/").status_code == 200

    assert superuser.post("/logout/").status_code == 303

    assert thief.get("/admin/").status_code == 303


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("UPDATE users SET is_active = false WHERE id = :id", 303),
        ("UPDATE users SET is_staff = false, is_superuser = false WHERE id = :id", 403),
        ("UPDATE users SET session_version = session_version + 1 WHERE id = :id", 303),
        ("UPDATE login_sessions SET ended_at = created_at WHERE user_id = :id", 303),
        ("DELETE FROM users WHERE id = :id", 303),
    ],
)
def test_A07_a_change_of_the_account_applies_to_the_next_request(
    superuser: StaffClient, change: str, status: int
) -> None:
    assert superuser.get("/admin/users/").status_code == 200

    with superuser.app.app_context():
        db.session.execute(sa.text(change), {"id": superuser.id})
        db.session.commit()

    assert superuser.get("/admin/users/").status_code == status


@pytest.mark.parametrize(
    ("passed", "status"),
    [(timedelta(minutes=29), 200), (timedelta(minutes=31), 303)],
)
def test_A07_staff_must_sign_in_again_after_half_an_hour_without_requests(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch, passed: timedelta, status: int
) -> None:
    copy = superuser.app.test_client()
    cookie = superuser.client.get_cookie("access_token")
    assert cookie is not None
    copy.set_cookie("access_token", cookie.value)
    _move_clock(monkeypatch, passed)

    assert superuser.get("/admin/").status_code == status
    assert copy.get("/admin/").status_code == status


def test_A07_a_staff_session_ends_after_a_working_day(superuser: StaffClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for _half_hour in range(16):
        _move_clock(monkeypatch, timedelta(minutes=29))
        assert superuser.get("/admin/").status_code == 200
    _move_clock(monkeypatch, timedelta(minutes=29))

    assert superuser.get("/admin/").status_code == 303


def test_C04_the_notice_cookie_is_encrypted_and_its_notice_is_shown_once(superuser: StaffClient) -> None:
    superuser.post("/admin/users/act/", action="send_reset", user=superuser.id, confirmed="1")
    cookie = superuser.client.get_cookie("notice")

    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.path, cookie.secure) == (True, "Lax", "/", False)
    assert "reset" not in cookie.value
    assert "1 reset link sent." in superuser.get("/admin/").text
    assert "1 reset link sent." not in superuser.get("/admin/").text


def test_C04_API_requests_do_not_change_the_notice_cookie(superuser: StaffClient) -> None:
    superuser.post("/admin/users/act/", action="send_reset", user=superuser.id, confirmed="1")

    response = superuser.get("/userapi/auth/user/")

    assert "notice" not in str(response.headers)
    assert "1 reset link sent." in superuser.get("/admin/").text


def test_H06_over_https_the_notice_cookie_is_secure(make_app: Callable[..., Flask]) -> None:
    app = make_app(SITE_URL="https://accounts.example.com")
    client = app.test_client()
    client.set_cookie("__Host-access_token", "expired", domain="accounts.example.com", secure=True)

    response = client.get("/admin/", base_url="https://accounts.example.com")

    (cookie,) = [line for line in response.headers.getlist("Set-Cookie") if line.startswith("notice=")]
    assert "Secure" in cookie


def _move_clock(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    later = clock.now() + passed
    monkeypatch.setattr("userapi.core.clock.now", lambda: later)
