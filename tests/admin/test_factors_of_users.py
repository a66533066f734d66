"""Staff see the second factors of a user, and reset them for a user who has lost them."""

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, can_sign_in
from tests.support.email_inbox import emails_to
from tests.support.second_factors import App, set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_client import StaffClient, staff_client

REASON = "Lost the phone"
SUPPORT = ("view_user", "view_factor", "delete_factor")


@pytest.fixture
def support(app: Flask) -> StaffClient:
    """A staff member who may only see users and reset their second factors."""
    return staff_client(app, is_staff=True, email="support@example.com", permissions=SUPPORT)


@pytest.fixture
def phone(app: Flask, user: ApiUser) -> App:
    return set_up_app(app, user.id, name="Old phone")[0]


def page(user_id: int, action: str = "") -> str:
    return f"/admin/users/{user_id}/factors/{action}"


def count_apps(app: Flask) -> int:
    return int(fetch_number(app, "SELECT count(*) FROM totp_devices"))


def test_S20_staff_see_what_is_set_up_without_its_secrets(
    app: Flask, user: ApiUser, other_user: ApiUser, support: StaffClient
) -> None:
    phone, codes = set_up_app(app, user.id, name="Old phone")

    shown = support.get(page(user.id)).text

    assert "Old phone" in shown
    assert "Recovery codes left: 10" in shown
    assert not any(secret in shown for secret in (phone.secret, *codes))
    assert "This user has no second factor." in support.get(page(other_user.id)).text


def test_S81_staff_can_reset_an_account_whose_factors_could_not_be_imported(
    app: Flask, user: ApiUser, phone: App, support: StaffClient
) -> None:
    for table in ("totp_devices", "recovery_codes"):
        execute_sql(app, f"DELETE FROM {table}")
    execute_sql(app, "UPDATE second_factors SET failures = 100")

    shown = support.get(page(user.id)).text
    reset = support.post(page(user.id, "reset/"), reason=REASON)

    assert "This user cannot sign in: two-step sign-in is on" in shown
    assert "Locked" in shown
    assert "Accept codes again" not in shown  # that would not help
    assert 'name="reason"' in shown
    assert reset.status_code == 303
    assert "This user has no second factor." in support.get(page(user.id)).text


def test_S76_a_reset_removes_everything_and_only_the_mailbox_opens_the_account(
    app: Flask, user: ApiUser, phone: App, support: StaffClient
) -> None:
    response = support.post(page(user.id, "reset/"), reason=f" {REASON} ")

    assert (response.status_code, response.headers["Location"]) == (303, page(user.id))
    assert [count_apps(app), fetch_number(app, "SELECT count(*) FROM recovery_codes")] == [0, 0]
    assert user.get("/userapi/auth/user/").status_code == 401
    assert not can_sign_in(app, user.email)
    assert REASON in emails_to(app, user.email, "factors_reset")[0].text
    assert len(emails_to(app, user.email, "reset_password")) == 1
    (event,) = fetch_rows(app, "SELECT actor_id, changes FROM audit_events WHERE action = 'factors.reset'")
    assert event.actor_id == support.id
    assert REASON in str(event.changes)


@pytest.mark.parametrize(
    ("permissions", "status"),
    [(("view_user", "view_factor"), 403), (("view_user", "change_user", "delete_user"), 403), (SUPPORT, 303)],
)
def test_S75_only_staff_with_the_permission_reset(
    app: Flask, user: ApiUser, phone: App, permissions: tuple[str, ...], status: int
) -> None:
    staff = staff_client(app, is_staff=True, permissions=permissions)

    assert staff.post(page(user.id, "reset/"), reason=REASON).status_code == status
    assert count_apps(app) == (0 if status == 303 else 1)


def test_S75_staff_reset_neither_superusers_nor_themselves(app: Flask, support: StaffClient) -> None:
    boss = staff_client(app, is_staff=True, is_superuser=True)
    for owner in (boss, support):
        set_up_app(app, owner.id)
    support = staff_client(app, is_staff=True, email="second@example.com", permissions=SUPPORT)
    set_up_app(app, support.id)

    for owner in (boss, support):
        assert support.post(page(owner.id, "reset/"), reason=REASON).status_code in (303, 403)
        assert 'name="reason"' not in support.get(page(owner.id)).text
    assert count_apps(app) == 3


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_S75_a_reset_needs_a_reason_that_fits(
    app: Flask, user: ApiUser, phone: App, support: StaffClient, reason: str
) -> None:
    response = support.post(page(user.id, "reset/"), reason=reason)

    assert response.status_code == 400
    assert 'aria-invalid="true"' in response.text
    assert count_apps(app) == 1
    assert support.post(page(user.id, "reset/"), reason="x" * 200).status_code == 303


def test_S75_a_reset_needs_a_recent_proof_and_a_form_of_this_site(
    app: Flask, user: ApiUser, phone: App, support: StaffClient
) -> None:
    assert support.post(page(user.id, "reset/"), csrf=False, reason=REASON).status_code == 403
    assert support.get(page(user.id, "reset/")).headers["Location"] == page(user.id)
    execute_sql(app, "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00'")
    proof = support.post(page(user.id, "reset/"), reason=REASON)

    assert "/prove/" in (proof.headers.get("Location") or proof.text)
    assert count_apps(app) == 1


def test_S14_staff_let_a_user_who_typed_too_many_wrong_codes_try_again(
    app: Flask, user: ApiUser, phone: App, support: StaffClient
) -> None:
    execute_sql(app, "UPDATE second_factors SET failures = 100")
    assert "Locked" in support.get(page(user.id)).text

    assert support.post(page(user.id, "unlock/")).status_code == 303

    assert fetch_number(app, "SELECT failures FROM second_factors") == 0
    assert "Locked" not in support.get(page(user.id)).text
