"""`flask users factors`, `reset-factors` and `unlock`."""

from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

from tests.support.api_client import ApiUser, can_sign_in
from tests.support.email_inbox import emails_to
from tests.support.passkeys import add_passkey
from tests.support.second_factors import App, set_up_app
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.core.db import db
from userapi.mfa import remembered_devices

Shell = Callable[..., Result]
NEW_PASSWORD = "harbour lantern 42 quiet"


@pytest.fixture
def run_command(app: Flask) -> Shell:
    """The `flask users` command: `run_command("factors", email)`."""
    return lambda *arguments: app.test_cli_runner().invoke(args=["users", *arguments])


@pytest.fixture
def phone(app: Flask, user: ApiUser) -> App:
    return set_up_app(app, user.id)[0]


def test_the_factors_of_a_user_are_shown_without_secrets(app: Flask, user: ApiUser, run_command: Shell) -> None:
    before = dict(line.split("\t") for line in run_command("factors", user.email).stdout.splitlines())
    phone, codes = set_up_app(app, user.id, name="Old phone")
    add_passkey(app, user.id)

    shown = run_command("factors", user.email.upper()).stdout

    after = dict(line.split("\t") for line in shown.splitlines())
    assert (before["second step"], before["recovery codes left"]) == ("off", "0")
    assert (after["second step"], after["recovery codes left"], after["locked"]) == ("on", "10", "no")
    assert after["authenticator app"].startswith("Old phone, last used 20")
    assert after["passkey"] == "Laptop, not used yet"
    assert not any(secret in shown for secret in (phone.secret, *codes))


def test_S76_a_reset_removes_factors_sessions_devices_and_password_and_emails_a_link(
    app: Flask, user: ApiUser, phone: App, run_command: Shell
) -> None:
    with app.app_context():
        remembered_devices.remember(user.id, 0, None, None)
        db.session.commit()

    done = run_command("reset-factors", user.email, "--reason", "Lost the phone", "--yes")

    assert (done.exit_code, done.stderr) == (0, "")
    for table in ("second_factors", "totp_devices", "recovery_codes", "remembered_devices"):
        assert fetch_number(app, f"SELECT count(*) FROM {table}") == 0
    assert user.get("/userapi/auth/user/").status_code == 401
    assert not can_sign_in(app, user.email)
    (notice,) = emails_to(app, user.email, "factors_reset")
    assert "Lost the phone" in notice.text
    (event,) = fetch_rows(app, "SELECT changes FROM audit_events WHERE action = 'factors.reset'")
    assert "Lost the phone" in str(event.changes)
    (reset,) = emails_to(app, user.email, "reset_password")
    body = {"uid": reset.uid, "token": reset.token, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert app.test_client().post("/userapi/auth/password/reset/confirm/", json=body).status_code == 200
    assert can_sign_in(app, user.email, NEW_PASSWORD)


def test_S77_a_known_password_does_not_sign_in_after_a_reset_unless_it_is_kept(
    app: Flask, user: ApiUser, phone: App, run_command: Shell
) -> None:
    run_command("reset-factors", user.email, "--reason", "Mailbox lost", "--keep-password", "--yes")

    assert user.get("/userapi/auth/user/").status_code == 401
    assert emails_to(app, user.email, "reset_password") == []
    assert can_sign_in(app, user.email)
    set_up_app(app, user.id)
    run_command("reset-factors", user.email, "--reason", "A call", "--yes")
    assert not can_sign_in(app, user.email)


def test_S75_a_reset_needs_a_reason_a_confirmation_and_a_factor(
    app: Flask, user: ApiUser, other_user: ApiUser, phone: App, run_command: Shell
) -> None:
    no_reason = run_command("reset-factors", user.email, "--yes")
    blank = run_command("reset-factors", user.email, "--reason", "  ", "--yes")
    unconfirmed = run_command("reset-factors", user.email, "--reason", "Lost")
    nothing = run_command("reset-factors", other_user.email, "--reason", "Lost", "--yes")

    assert (no_reason.exit_code, blank.exit_code) == (2, 2)
    assert unconfirmed.stderr.endswith("Error: Nothing was changed. To confirm, answer y or use --yes.\n")
    assert nothing.stderr == "Error: This user has no second factor.\n"
    assert fetch_number(app, "SELECT count(*) FROM totp_devices") == 1
    assert can_sign_in(app, other_user.email)


def test_S14_a_locked_user_is_unlocked(app: Flask, user: ApiUser, phone: App, run_command: Shell) -> None:
    execute_sql(app, "UPDATE second_factors SET failures = 100")
    assert "locked\tyes" in run_command("factors", user.email).stdout

    unlocked, again = (run_command("unlock", user.email) for _ in range(2))

    assert unlocked.stdout == f"Codes of {user.email} are accepted again.\n"
    assert again.stdout == f"No wrong codes were counted for {user.email}.\n"
    assert fetch_number(app, "SELECT failures FROM second_factors") == 0
    assert fetch_number(app, "SELECT count(*) FROM audit_events WHERE action = 'factors.unlocked'") == 1
