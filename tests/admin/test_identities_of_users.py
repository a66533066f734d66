"""Staff see and unlink accounts of other services, and see the state of the providers."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.email_inbox import emails_to
from tests.support.fake_provider import ISSUER, SETTINGS
from tests.support.provider_visits import link_identity
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from userapi.audit import audit_log
from userapi.core.db import db

SUPPORT = ("view_user", "change_user")


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An application with a provider."""
    return make_app(**SETTINGS)


@pytest.fixture
def support(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, email="support@example.com", permissions=SUPPORT)


def page(user_id: int, identity_id: int | None = None) -> str:
    return f"/admin/users/{user_id}/identities/" + ("" if identity_id is None else f"{identity_id}/unlink/")


def identity_of(app: Flask, user_id: int) -> int:
    return int(fetch_number(app, f"SELECT id FROM identities WHERE user_id = {user_id}"))


def count(app: Flask) -> int:
    return int(fetch_number(app, "SELECT count(*) FROM identities"))


def test_staff_unlink_an_account_and_its_sessions_end(app: Flask, user: ApiUser, support: StaffClient) -> None:
    link_identity(app, user.id)
    identity_id = identity_of(app, user.id)
    execute_sql(app, "UPDATE login_sessions SET identity_id = :id WHERE user_id = :user", id=identity_id, user=user.id)
    shown = support.get(page(user.id)).text

    response = support.post(page(user.id, identity_id))

    assert ("Acme" in shown, ISSUER in shown, "Linked accounts" in shown) == (True, True, True)
    assert (response.status_code, response.headers["Location"], count(app)) == (303, page(user.id), 0)
    assert user.get("/userapi/auth/user/").status_code == 401
    assert len(emails_to(app, user.email, "identity_unlinked")) == 1
    (event,) = fetch_rows(app, "SELECT actor_id FROM audit_events WHERE action = 'identity.unlinked'")
    assert event.actor_id == support.id
    assert "No account of another service" in support.get(page(user.id)).text


def test_I33_staff_do_not_unlink_the_last_way_in(app: Flask, user: ApiUser, support: StaffClient) -> None:
    link_identity(app, user.id)
    execute_sql(app, "UPDATE users SET password_hash = NULL WHERE id = :id", id=user.id)

    response = support.post(page(user.id, identity_of(app, user.id)))

    assert (response.status_code, count(app)) == (409, 1)


def test_staff_unlink_neither_from_superusers_nor_from_themselves_nor_without_permission(
    app: Flask, user: ApiUser, support: StaffClient
) -> None:
    boss = staff_client(app, is_staff=True, is_superuser=True)
    reader = staff_client(app, is_staff=True, permissions=("view_user",))
    for number, owner in enumerate((boss, support, user)):
        link_identity(app, owner.id, subject=str(number))

    for staff, owner_id in ((support, boss.id), (support, support.id), (reader, user.id)):
        assert staff.post(page(owner_id, identity_of(app, owner_id))).status_code == 403
        assert "/unlink/" not in staff.get(page(owner_id)).text
    assert support.post(page(user.id, identity_of(app, boss.id))).status_code == 404
    assert count(app) == 3


def test_unlinking_requires_a_recent_proof(app: Flask, user: ApiUser, support: StaffClient) -> None:
    link_identity(app, user.id)
    execute_sql(app, "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00'")

    response = support.post(page(user.id, identity_of(app, user.id)))

    assert "/prove/" in (response.headers.get("Location") or response.text)
    assert count(app) == 1


def test_the_page_of_providers_says_what_to_register_and_what_failed(app: Flask, user: ApiUser) -> None:
    auditor = staff_client(app, is_staff=True, permissions=("view_event",))
    with app.app_context():
        for provider, reason in (("acme", "ID token: audience"), ("other", "unavailable")):
            audit_log.record(
                "provider_sign_in.failed", changes={"provider": (None, provider), "reason": (None, reason)}
            )
        db.session.commit()

    shown = auditor.get("/admin/providers/").text

    assert "https://accounts.example.com/auth/callback/acme/" in shown
    assert "ID token: audience" in shown
    assert not any(hidden in shown for hidden in ("unavailable", SETTINGS["PROVIDER_ACME_CLIENT_SECRET"]))
    assert 'href="/admin/providers/"' in auditor.get("/admin/audit/").text


def test_without_providers_the_staff_site_does_not_mention_them(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    superuser = staff_client(app, is_staff=True, is_superuser=True)

    shown = superuser.get(f"/admin/users/{superuser.id}/").text

    assert "/admin/providers/" not in shown
    assert "/identities/" not in shown
