"""Legal holds: no way of deleting an account gets past one."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.bulk_actions import confirm_action, newest_bulk_job, run_bulk_jobs
from tests.support.closed_accounts import close, delete_due
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_client import StaffClient, staff_client
from userapi.admin import user_actions

Days = Callable[[float], None]


def run(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["users", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def staff(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.fixture
def held(app: Flask, user: ApiUser) -> ApiUser:
    run(app, "hold", user.email, "--reason", "Case 4711")
    return user


def test_W81_a_held_account_is_deleted_by_no_one_until_it_is_released(
    app: Flask, held: ApiUser, superuser: ApiUser, staff: StaffClient
) -> None:
    by_api = superuser.delete(held.url)
    by_command = app.test_cli_runner().invoke(args=["users", "delete", held.email, "--yes"])
    page = staff.get(f"/admin/users/{held.id}/delete/")
    by_staff = staff.post(f"/admin/users/{held.id}/delete/")

    assert (by_api.status_code, by_api.get_json()["code"]) == (409, "account_held")
    assert (by_command.exit_code, "under a legal hold" in by_command.output) == (1, True)
    assert (by_staff.status_code, "under a legal hold" in by_staff.text) == (409, True)
    assert ("under a legal hold" in page.text, 'btn-danger" type="submit">Delete user' in page.text) == (True, False)
    assert fetch_number(app, f"SELECT count(*) FROM users WHERE id = {held.id}") == 1
    run(app, "release", held.email)
    assert superuser.delete(held.url).status_code == 204


@pytest.mark.both
def test_W81_bulk_deletion_leaves_out_held_accounts(
    app: Flask, held: ApiUser, staff: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_actions, "MAX_USERS", 0)
    confirm_action(staff, "delete", query=f"search={held.email}")
    run_bulk_jobs(app)

    job = newest_bulk_job(app)
    assert (job.done, job.left_out) == (0, 1)
    assert {row.reason for row in fetch_rows(app, "SELECT reason FROM bulk_targets")} == {"account_held"}


def test_W81_a_closed_and_held_account_is_deleted_after_the_release(
    app: Flask, held: ApiUser, days_later: Days, caplog: pytest.LogCaptureFixture
) -> None:
    assert close(held).status_code == 202
    days_later(15)

    assert delete_due(app) == 0

    (kept,) = [record for record in caplog.records if record.message == "closed accounts kept"]
    assert kept.__dict__["held"] == 1
    assert app.test_cli_runner().invoke(args=["sessions", "prune"]).exit_code == 0
    assert fetch_number(app, "SELECT count(*) FROM users") == 1
    run(app, "release", held.email)
    assert "1 closed account deleted." in app.test_cli_runner().invoke(args=["sessions", "prune"]).output
    assert fetch_number(app, "SELECT count(*) FROM users") == 0


def test_the_owner_of_a_held_account_does_not_hear_of_it(app: Flask, held: ApiUser) -> None:
    export = held.get("/userapi/auth/user/export/").text
    activity = held.get("/userapi/auth/activity/").text

    assert not [text for text in ("Case 4711", "user.held") if text in export + activity]


def test_staff_hold_release_and_restore_accounts_that_are_leaving(
    app: Flask, user: ApiUser, other_user: ApiUser, staff: StaffClient
) -> None:
    close(user)
    page = f"/admin/users/{user.id}/hold/"
    without_reason = staff.post(page, reason=" ")
    staff.post(page, reason="Case 4711")
    closed, held = staff.get("/admin/leaving/"), staff.get("/admin/leaving/?state=held")
    staff.post(f"/admin/users/{user.id}/release/")
    staff.get("/admin/")  # shows the message
    after_release = staff.get("/admin/leaving/?state=held")
    staff.post("/admin/users/act/", action="activate", user=str(user.id), confirmed="true")

    assert without_reason.status_code == 400
    for shown in (closed, held):
        assert (user.email in shown.text, "Case 4711" in shown.text) == (True, True)
        assert other_user.email not in shown.text
    assert user.email not in after_release.text
    staff.get("/admin/")
    assert user.email not in staff.get("/admin/leaving/").text
    (row,) = fetch_rows(app, f"SELECT is_active, closes_at FROM users WHERE id = {user.id}")
    assert (bool(row.is_active), row.closes_at) == (True, None)
    actions = [row.action for row in fetch_rows(app, "SELECT action FROM audit_events ORDER BY id")]
    assert [each for each in actions if each.startswith("user.")][-4:] == [
        "user.held", "user.released", "user.activated", "user.restored",
    ]  # fmt: skip


def test_W84_the_lists_of_leaving_accounts_are_reached_from_users_and_not_from_the_menu(
    user: ApiUser, staff: StaffClient
) -> None:
    lists = {
        page: 'href="/admin/leaving/' in staff.get(page).text
        for page in ("/admin/", "/admin/users/", "/admin/users/?is_active=false", f"/admin/users/{user.id}/hold/")
    }

    assert list(lists.values()) == [False, False, True, True]


@pytest.mark.both
def test_W81_the_doctor_and_the_overview_report_closed_accounts_that_are_still_there(
    app: Flask, user: ApiUser, other_user: ApiUser, staff: StaffClient
) -> None:
    def diagnose() -> list[str]:
        lines = app.test_cli_runner().invoke(args=["doctor"]).output.splitlines()
        return [line for line in lines if "closed accounts" in line]

    for account in (user, other_user):
        close(account)
    before = diagnose()
    execute_sql(app, "UPDATE users SET closes_at = '2026-01-01 00:00:00+00:00' WHERE closes_at IS NOT NULL")
    run(app, "hold", user.email, "--reason", "Case 4711")

    held, kept = diagnose()

    assert before == []
    assert "1 closed account is past the time of deletion, under a legal hold" in held
    assert "1 closed account is past the time of deletion. The log says why" in kept
    assert "1 closed account is past the time of deletion. The log says why" in staff.get("/admin/").text
