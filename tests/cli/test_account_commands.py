"""`flask users show`, `promote`, `demote` and `delete`; wrong input gets one sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from tests.support import commands
from tests.support.api_client import ApiUser, can_sign_in
from tests.support.email_inbox import all_emails
from tests.support.factories import make_user
from userapi.core.db import db

Shell = Callable[..., Result]

NOTHING_CHANGED = "Error: Nothing was changed. To confirm, answer y or use --yes.\n"


@pytest.fixture
def run_command(app: Flask) -> Shell:
    """The `flask` command: `run_command("users", "list")`."""

    def invoke(*arguments: str, stdin: str = "") -> Result:
        return app.test_cli_runner().invoke(args=arguments, input=stdin, env={"USER_PASSWORD": None})

    return invoke


def account_as_json(run_command: Shell, email: str) -> dict[str, str]:
    """The JSON output of `users show`."""
    shown = run_command("users", "show", email)
    assert (shown.exit_code, shown.stderr) == (0, "")
    header, *lines = (line.split("\t") for line in shown.stdout.splitlines())
    assert header == ["field", "value"]
    return dict(lines)


def last_events(app: Flask, number: int) -> list[str]:
    with app.app_context():
        found = db.session.execute(sa.text("SELECT action FROM audit_events ORDER BY id DESC LIMIT :n"), {"n": number})
        return [row.action for row in found][::-1]


def test_users_show_prints_profile_permissions_and_sessions(run_command: Shell, user: ApiUser) -> None:
    run_command("groups", "create", "Helpers")
    run_command("groups", "add", user.email, "Helpers")

    shown = account_as_json(run_command, user.email.upper())

    assert (shown["id"], shown["email"]) == (str(user.id), user.email)
    assert (shown["active"], shown["role"], shown["groups"], shown["active sessions"]) == ("yes", "", "Helpers", "1")
    assert shown["password"].startswith("argon2id")
    user.post("/userapi/auth/logout/", json={})
    assert account_as_json(run_command, user.email)["active sessions"] == "0"


def test_a_promoted_user_can_open_the_staff_site_and_gets_an_email(
    run_command: Shell, app: Flask, user: ApiUser
) -> None:
    promoted = run_command("users", "promote", user.email)

    assert (promoted.exit_code, promoted.stdout) == (0, f"{user.email} now has the role: staff.\n")
    assert user.get("/userapi/auth/user/").get_json()["is_staff"]
    assert [sent_email.recipient for sent_email in all_emails(app, "rights_granted")] == [user.email]
    assert "user.changed" in last_events(app, 3)
    assert account_as_json(run_command, user.email)["groups"] == "Staff"

    assert (
        run_command("users", "promote", user.email, "--superuser").stdout
        == f"{user.email} now has the role: superuser.\n"
    )
    assert run_command("users", "demote", user.email, "--keep-staff").exit_code == 1  # the only superuser


def test_promoting_a_user_without_a_password_says_how_to_set_one(run_command: Shell, app: Flask) -> None:
    make_user(app, email="wren@example.com", password=None)

    promoted = run_command("users", "promote", "wren@example.com")

    assert (promoted.exit_code, promoted.stdout) == (0, "wren@example.com now has the role: staff.\n")
    assert "wren@example.com has no password" in promoted.stderr


def test_a_demoted_user_has_no_permissions_left(run_command: Shell, superuser: ApiUser, staff: ApiUser) -> None:
    run_command("users", "promote", staff.email, "--superuser")

    kept = run_command("users", "demote", superuser.email, "--keep-staff")
    demoted = run_command("users", "demote", superuser.email)

    assert kept.stdout == f"{superuser.email} now has the role: staff.\n"
    assert demoted.stdout == f"{superuser.email} now has the role: regular user.\n"
    me = superuser.get("/userapi/auth/user/").get_json()
    assert (me["is_staff"], me["is_superuser"]) == (False, False)


def test_the_event_of_a_deleted_account_stays(run_command: Shell, app: Flask, user: ApiUser) -> None:
    deleted = run_command("users", "delete", user.email.upper(), stdin="y\n")

    assert (deleted.exit_code, deleted.stdout) == (0, f"Deleted {user.email}.\n")
    assert user.get("/userapi/auth/user/").status_code == 401
    assert last_events(app, 1) == ["user.deleted"]
    assert not can_sign_in(app, user.email, user.password)
    assert run_command("users", "show", user.email).exit_code == 1


@pytest.mark.parametrize("response", ["", "n\n", "\n"])
def test_an_account_is_deleted_only_after_confirmation(run_command: Shell, user: ApiUser, response: str) -> None:
    unanswered = run_command("users", "delete", user.email, stdin=response)

    assert unanswered.exit_code == 1
    assert f"Delete {user.email} with their profile, sessions and emails?" in unanswered.stderr
    assert unanswered.stderr.endswith(NOTHING_CHANGED)
    assert user.get("/userapi/auth/user/").status_code == 200
    assert run_command("users", "delete", user.email, "--yes").exit_code == 0


@pytest.mark.parametrize("command", [("delete", "--yes"), ("demote",), ("demote", "--keep-staff")])
def test_the_last_superuser_cannot_be_deleted_or_demoted(
    run_command: Shell, superuser: ApiUser, command: tuple[str, ...]
) -> None:
    result = run_command("users", *command, superuser.email)

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "last active superuser" in result.stderr
    assert superuser.get("/userapi/auth/user/").get_json()["is_superuser"]


@pytest.mark.parametrize("command", ["show", "promote", "demote", "delete"])
def test_an_unknown_email_gets_one_sentence(run_command: Shell, command: str) -> None:
    result = run_command("users", command, "unknown@example.com")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: There is no user with the email unknown@example.com.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("users seed abc", "'abc' is not a whole number from 1 to 1000000."),
        ("users seed 0", "'0' is not a whole number from 1 to 1000000."),
        ("users seed 1 --random-seed x", "'x' is not a whole number from 0 to 999999999."),
        ("users seed 1 --locale xx", "Unknown locale 'xx'. To see all locales, run `flask users seed --help`."),
        ("mail list --limit abc", "'abc' is not a whole number from 1 to 10000."),
        ("mail show one", "'one' is not a whole number from 1 to 9223372036854775807."),
        ("mail prune --days -1", "'-1' is not a whole number from 0 to 3650."),
        ("sessions prune --days long", "'long' is not a whole number from 0 to 3650."),
        ("sessions list --limit 0", "'0' is not a whole number from 1 to 10000."),
        (
            "users export --joined-after monday",
            "'monday' is not a date such as 2026-11-29 or a time such as 2026-11-29T08:30:00+00:00.",
        ),
    ],
)
def test_a_wrong_number_date_or_locale_gets_one_sentence(run_command: Shell, arguments: str, sentence: str) -> None:
    result = run_command(*arguments.split())

    assert (result.exit_code, result.stdout) == (2, "")
    said = result.stderr.splitlines()[-1]
    assert said.startswith("Error: Invalid value for ")
    assert said.endswith(f": {sentence}")


NUMBERS = ("mail show", "mail retry", "mail list --limit", "mail prune --days", "sessions list --limit",
           "sessions prune --days", "users seed", "users seed 1 --random-seed", "audit tail --lines")  # fmt: skip
DAYS = ("users export --joined-after", "users export --joined-before", "audit tail --since", "audit tail --until",
        "audit export --since", "audit export --until")  # fmt: skip


@pytest.mark.parametrize("number", ["9223372036854775808", "99999999999999999999", "9" * 5000])
@pytest.mark.parametrize("command", NUMBERS)
def test_a_number_too_large_for_the_database_gets_one_sentence(run_command: Shell, command: str, number: str) -> None:
    result = run_command(*command.split(), number)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"'{number}' is not a whole number from " in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["show", "retry"])
def test_the_largest_id_is_unknown(run_command: Shell, command: str) -> None:
    result = run_command("mail", command, "9223372036854775807")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: There is no email with the id 9223372036854775807")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
@pytest.mark.parametrize("command", DAYS)
def test_a_date_outside_the_calendar_gets_one_sentence(run_command: Shell, command: str, moment: str) -> None:
    result = run_command(*command.split(), moment)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].endswith(f": '{moment}' is outside the years 1 to 9999 (UTC).")


@pytest.mark.parametrize("moment", ["9999-12-31", "9999-12-31T23:59:59+00:00", "0001-01-01", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("command", DAYS)
def test_accepts_the_first_and_last_date_of_the_calendar(run_command: Shell, command: str, moment: str) -> None:
    result = run_command(*command.split(), moment)

    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("command", ["export {}/x.csv", "import users.csv --report {}/x.csv"])
def test_a_missing_folder_is_named_in_one_sentence(
    run_command: Shell, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    make_user(app, email="ada@example.com")
    monkeypatch.chdir(tmp_path)
    Path("users.csv").write_text("email\nbob@example.com\n")
    folder = tmp_path / "missing"

    result = run_command("users", *command.format(folder).split())

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: Cannot write {folder}/x.csv: the folder {folder} does not exist.\n"


def test_help_starts_with_our_text_and_cuts_no_sentence(app: Flask) -> None:
    env = commands.environment_for(app, COLUMNS="80")

    everything, users = (commands.run(*commands.FLASK, *words, env=env) for words in (["--help"], ["users", "--help"]))

    assert (everything.code, everything.errors) == (0, "")
    assert everything.output.splitlines()[2].startswith("  Manage the user service")
    assert "A general utility script" not in everything.output
    ours = [line for line in everything.output.splitlines() if line.startswith(("  doctor", "  users", "  groups"))]
    assert len(ours) == 3
    assert [
        line for line in [*ours, *users.output.splitlines()] if line.startswith("  ") and line.endswith("...")
    ] == []
