"""One account at the shell: shown, promoted, demoted, deleted; wrong input is one sentence."""

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
def shell(app: Flask) -> Shell:
    """The `flask` command: `shell("users", "list")`."""

    def invoke(*arguments: str, stdin: str = "") -> Result:
        return app.test_cli_runner().invoke(args=arguments, input=stdin, env={"USER_PASSWORD": None})

    return invoke


def facts(shell: Shell, email: str) -> dict[str, str]:
    """What `users show` tells a program."""
    shown = shell("users", "show", email)
    assert (shown.exit_code, shown.stderr) == (0, "")
    header, *lines = (line.split("\t") for line in shown.stdout.splitlines())
    assert header == ["field", "value"]
    return dict(lines)


def last_events(app: Flask, number: int) -> list[str]:
    with app.app_context():
        found = db.session.execute(sa.text("SELECT action FROM audit_events ORDER BY id DESC LIMIT :n"), {"n": number})
        return [row.action for row in found][::-1]


def test_an_account_is_shown_with_its_profile_rights_and_sessions(shell: Shell, user: ApiUser) -> None:
    shell("groups", "create", "Helpers")
    shell("groups", "add", user.email, "Helpers")

    shown = facts(shell, user.email.upper())

    assert (shown["id"], shown["email"]) == (str(user.id), user.email)
    assert (shown["active"], shown["role"], shown["groups"], shown["active sessions"]) == ("yes", "", "Helpers", "1")
    assert shown["password"].startswith("argon2id")
    user.post("/userapi/auth/logout/", json={})
    assert facts(shell, user.email)["active sessions"] == "0"


def test_a_promoted_user_may_open_the_staff_site_and_gets_an_email(shell: Shell, app: Flask, user: ApiUser) -> None:
    promoted = shell("users", "promote", user.email)

    assert (promoted.exit_code, promoted.stdout) == (0, f"{user.email} now has the role: staff.\n")
    assert user.get("/userapi/auth/user/").get_json()["is_staff"]
    assert [letter.recipient for letter in all_emails(app, "rights_granted")] == [user.email]
    assert "user.changed" in last_events(app, 3)
    assert facts(shell, user.email)["groups"] == "Staff"

    assert shell("users", "promote", user.email, "--superuser").stdout == f"{user.email} now has the role: superuser.\n"
    assert shell("users", "demote", user.email, "--keep-staff").exit_code == 1  # the only superuser


def test_a_demoted_user_has_no_rights_left(shell: Shell, superuser: ApiUser, staff: ApiUser) -> None:
    shell("users", "promote", staff.email, "--superuser")

    kept = shell("users", "demote", superuser.email, "--keep-staff")
    demoted = shell("users", "demote", superuser.email)

    assert kept.stdout == f"{superuser.email} now has the role: staff.\n"
    assert demoted.stdout == f"{superuser.email} now has the role: regular user.\n"
    me = superuser.get("/userapi/auth/user/").get_json()
    assert (me["is_staff"], me["is_superuser"]) == (False, False)


def test_a_deleted_account_is_gone_and_its_event_stays(shell: Shell, app: Flask, user: ApiUser) -> None:
    deleted = shell("users", "delete", user.email.upper(), stdin="y\n")

    assert (deleted.exit_code, deleted.stdout) == (0, f"Deleted {user.email}.\n")
    assert user.get("/userapi/auth/user/").status_code == 401
    assert last_events(app, 1) == ["user.deleted"]
    assert not can_sign_in(app, user.email, user.password)
    assert shell("users", "show", user.email).exit_code == 1


@pytest.mark.parametrize("answer", ["", "n\n", "\n"])
def test_without_a_yes_no_account_is_deleted(shell: Shell, user: ApiUser, answer: str) -> None:
    unanswered = shell("users", "delete", user.email, stdin=answer)

    assert unanswered.exit_code == 1
    assert f"Delete {user.email} with their profile, sessions and emails?" in unanswered.stderr
    assert unanswered.stderr.endswith(NOTHING_CHANGED)
    assert user.get("/userapi/auth/user/").status_code == 200
    assert shell("users", "delete", user.email, "--yes").exit_code == 0


@pytest.mark.parametrize("command", [("delete", "--yes"), ("demote",), ("demote", "--keep-staff")])
def test_the_last_superuser_is_neither_deleted_nor_demoted(
    shell: Shell, superuser: ApiUser, command: tuple[str, ...]
) -> None:
    result = shell("users", *command, superuser.email)

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "last active superuser" in result.stderr
    assert superuser.get("/userapi/auth/user/").get_json()["is_superuser"]


@pytest.mark.parametrize("command", ["show", "promote", "demote", "delete"])
def test_an_unknown_email_is_one_sentence(shell: Shell, command: str) -> None:
    result = shell("users", command, "unknown@example.com")

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
def test_a_wrong_number_day_or_locale_is_one_plain_sentence(shell: Shell, arguments: str, sentence: str) -> None:
    result = shell(*arguments.split())

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
def test_a_number_that_no_database_holds_is_one_plain_sentence(shell: Shell, command: str, number: str) -> None:
    result = shell(*command.split(), number)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"'{number}' is not a whole number from " in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["show", "retry"])
def test_the_greatest_number_is_that_of_no_email(shell: Shell, command: str) -> None:
    result = shell("mail", command, "9223372036854775807")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: There is no email with the id 9223372036854775807")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
@pytest.mark.parametrize("command", DAYS)
def test_a_moment_outside_the_calendar_is_one_plain_sentence(shell: Shell, command: str, moment: str) -> None:
    result = shell(*command.split(), moment)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].endswith(f": '{moment}' is outside the years 1 to 9999 (UTC).")


@pytest.mark.parametrize("moment", ["9999-12-31", "9999-12-31T23:59:59+00:00", "0001-01-01", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("command", DAYS)
def test_the_first_and_last_moment_of_the_calendar_are_taken(shell: Shell, command: str, moment: str) -> None:
    result = shell(*command.split(), moment)

    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("command", ["export {}/x.csv", "import users.csv --report {}/x.csv"])
def test_a_folder_that_does_not_exist_is_named_in_one_sentence(
    shell: Shell, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    make_user(app, email="ada@example.com")
    monkeypatch.chdir(tmp_path)
    Path("users.csv").write_text("email\nbob@example.com\n")
    folder = tmp_path / "missing"

    result = shell("users", *command.format(folder).split())

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: Cannot write {folder}/x.csv: the folder {folder} does not exist.\n"


def test_the_help_begins_with_our_own_text_and_cuts_no_sentence(app: Flask) -> None:
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
