"""`flask users`: accounts are created, listed and changed, and every error is one line."""

import os
import pty
import re
from collections.abc import Callable
from typing import Any

import click
import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from tests.support import commands
from tests.support.api_client import ApiUser, can_sign_in, sign_in
from tests.support.factories import PASSWORD, make_user
from userapi.core.db import db

Shell = Callable[..., Result]

NEW_PASSWORD = "quiet harbour lantern 4"


@pytest.fixture
def run_command(app: Flask) -> Shell:
    """The `flask` command: `run_command("users", "list")`."""

    def invoke(*arguments: str, stdin: str = "", **variables: str) -> Result:
        return app.test_cli_runner().invoke(args=arguments, input=stdin, env={"USER_PASSWORD": None, **variables})

    return invoke


def is_one_line(result: Result) -> bool:
    return result.exit_code == 1 and result.stderr.count("\n") == 1 and not result.stdout


def events(app: Flask) -> list[Any]:
    with app.app_context():
        return list(db.session.execute(sa.text("SELECT action, actor_id, changes FROM audit_events ORDER BY id")))


def count_users(app: Flask) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.text("SELECT count(*) FROM users")) or 0)


def test_C01_a_superuser_created_with_the_command_can_do_everything(app: Flask, run_command: Shell) -> None:
    made = run_command(
        "users", "create-superuser", "--email", "Ada@example.com", "--password-stdin", stdin=f"{PASSWORD}\n"
    )

    assert made.exit_code == 0, made.stderr
    tokens = sign_in(app, "ada@example.com")
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    me = app.test_client().get("/userapi/auth/user/", headers=headers).get_json()
    assert (me["is_staff"], me["is_superuser"], me["email_verified"], me["profile"]) == (True, True, True, None)
    assert app.test_client().get("/userapi/users/", headers=headers).status_code == 200


def test_C01_the_password_may_be_in_a_variable(app: Flask, run_command: Shell) -> None:
    made = run_command("users", "create-superuser", "--email", "ada@example.com", USER_PASSWORD=PASSWORD)

    assert made.exit_code == 0, made.stderr
    assert can_sign_in(app, "ada@example.com", PASSWORD)


def test_C01_a_terminal_prompts_twice_for_the_password_without_showing_it(shared_app: Flask, app: Flask) -> None:
    keyboard, terminal = pty.openpty()
    env = commands.environment_for(app)
    command = [*commands.FLASK, "users", "create-superuser", "--email", "ada@example.com"]
    process = commands.start(*command, env=env, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = ""
    for prompt in ("Password", "Repeat password"):
        while prompt not in shown:
            shown += os.read(keyboard, 1024).decode()
        os.write(keyboard, f"{PASSWORD}\n".encode())

    assert process.wait(30) == 0
    assert PASSWORD not in shown
    assert can_sign_in(app, "ada@example.com", PASSWORD)
    os.close(keyboard)


def test_C01_a_password_is_never_an_argument(app: Flask, run_command: Shell) -> None:
    command = ("users", "create-superuser", "--email", "ada@example.com")

    rejected = run_command(*command, "--password", NEW_PASSWORD, USER_PASSWORD=PASSWORD)

    assert rejected.exit_code == 2
    assert count_users(app) == 0
    assert run_command(*command, USER_PASSWORD=PASSWORD).exit_code == 0


def test_C01_a_missing_password_is_reported_without_a_terminal(app: Flask, run_command: Shell) -> None:
    result = run_command("users", "create-superuser", "--email", "ada@example.com")

    assert result.exit_code == 2
    assert "--password-stdin" in result.stderr
    assert count_users(app) == 0


def test_C01_commands_apply_the_password_policy(app: Flask, run_command: Shell) -> None:
    result = run_command(
        "users", "create-superuser", "--email", "ada@example.com", "--password-stdin", stdin="1234567\n"
    )

    assert is_one_line(result)
    for reason in ("password:", "Shorter than minimum length 8.", "Contains only digits."):
        assert reason in result.stderr
    assert count_users(app) == 0


def test_C01_an_existing_account_is_not_changed(app: Flask, run_command: Shell) -> None:
    make_user(app, email="ada@example.com")

    result = run_command("users", "create-superuser", "--email", "ADA@example.com", USER_PASSWORD=NEW_PASSWORD)

    assert is_one_line(result)
    assert "already in use" in result.stderr
    assert can_sign_in(app, "ada@example.com", PASSWORD)
    assert not can_sign_in(app, "ada@example.com", NEW_PASSWORD)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--email", "no address"), "Not a valid email address"),
        (("--email", "ada@localhost"), "Not a valid email address"),
        (("--email", "ada@example.com", "--first-name", "A" * 151), "Longer than maximum length 150"),
        (("--email", "ada@example.com", "--username", "a\x1b[31m"), "Control characters are not allowed"),
        (("--email", "ada@example.com", "--last-name", "\udce9"), "Control characters are not allowed"),
    ],
)
def test_C08_bad_input_is_rejected_with_the_reason(
    app: Flask, run_command: Shell, arguments: tuple[str, ...], said: str
) -> None:
    result = run_command("users", "create", *arguments, USER_PASSWORD=PASSWORD)

    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert count_users(app) == 0
    fine = ("--email", "ada@example.com", "--first-name", "A" * 150, "--username", "ada", "--last-name", "é")
    assert run_command("users", "create", *fine, USER_PASSWORD=PASSWORD).exit_code == 0


def test_an_account_has_no_permissions_unless_created_as_staff(app: Flask, run_command: Shell) -> None:
    run_command("users", "create", "--email", "ada@example.com", USER_PASSWORD=PASSWORD)
    run_command("users", "create", "--email", "bob@example.com", "--staff", USER_PASSWORD=PASSWORD)

    header, *lines = [line.split("\t") for line in run_command("users", "list").stdout.splitlines()]

    assert header == ["id", "email", "name", "active", "role", "joined"]
    assert [(email, permissions) for _id, email, _name, _active, permissions, _joined in lines] == [
        ("ada@example.com", ""),
        ("bob@example.com", "staff"),
    ]


def test_a_set_password_replaces_the_old_one_and_ends_every_session(
    run_command: Shell, app: Flask, user: ApiUser
) -> None:
    result = run_command("users", "set-password", user.email.upper(), "--password-stdin", stdin=f"{NEW_PASSWORD}\n")

    assert result.exit_code == 0, result.stderr
    assert user.get("/userapi/auth/user/").status_code == 401
    assert can_sign_in(app, user.email, NEW_PASSWORD)
    assert not can_sign_in(app, user.email, user.password)


def test_P01_set_password_applies_the_password_policy(run_command: Shell, app: Flask, user: ApiUser) -> None:
    result = run_command("users", "set-password", user.email, USER_PASSWORD="short")

    assert is_one_line(result)
    assert "Shorter than minimum length" in result.stderr
    assert user.get("/userapi/auth/user/").status_code == 200


def test_P09_a_password_from_standard_input_keeps_its_spaces(run_command: Shell, app: Flask, user: ApiUser) -> None:
    run_command("users", "set-password", user.email, "--password-stdin", stdin=f"  {NEW_PASSWORD} \r\n")

    assert can_sign_in(app, user.email, f"  {NEW_PASSWORD} ")
    assert not can_sign_in(app, user.email, NEW_PASSWORD)


def test_R10_deactivation_ends_sessions_immediately_and_activation_revives_none(
    run_command: Shell, app: Flask, user: ApiUser
) -> None:
    assert run_command("users", "deactivate", user.email).exit_code == 0
    assert user.get("/userapi/auth/user/").status_code == 401
    assert not can_sign_in(app, user.email, user.password)

    assert run_command("users", "activate", user.email).exit_code == 0
    assert user.get("/userapi/auth/user/").status_code == 401
    assert can_sign_in(app, user.email, user.password)


def test_the_last_superuser_stays_active(run_command: Shell, superuser: ApiUser) -> None:
    result = run_command("users", "deactivate", superuser.email)

    assert is_one_line(result)
    assert "last active superuser" in result.stderr
    assert superuser.get("/userapi/auth/user/").status_code == 200


@pytest.mark.parametrize("command", ["set-password", "activate", "deactivate"])
def test_an_unknown_email_is_named(run_command: Shell, command: str) -> None:
    result = run_command("users", command, "unknown@example.com", USER_PASSWORD=NEW_PASSWORD)

    assert is_one_line(result)
    assert "unknown@example.com" in result.stderr


def test_the_list_can_be_searched_and_filtered(run_command: Shell, app: Flask) -> None:
    make_user(app, email="ada@example.com", first_name="Ada")
    make_user(app, email="bob@example.com", first_name="Bob", is_staff=True)
    run_command("users", "deactivate", "ada@example.com")

    def emails(*options: str) -> list[str]:
        return re.findall(r"\S+@\S+", run_command("users", "list", *options).stdout)

    assert emails() == ["ada@example.com", "bob@example.com"]
    assert emails("--search", "bo") == ["bob@example.com"]
    assert emails("--staff") == ["bob@example.com"]
    assert emails("--inactive") == ["ada@example.com"]


def test_C09_every_change_by_a_command_is_recorded_without_an_actor(run_command: Shell, app: Flask) -> None:
    run_command("users", "create-superuser", "--email", "root@example.com", USER_PASSWORD=PASSWORD)
    run_command("users", "create", "--email", "ada@example.com", USER_PASSWORD=PASSWORD)
    run_command("users", "set-password", "ada@example.com", USER_PASSWORD=NEW_PASSWORD)
    run_command("users", "deactivate", "ada@example.com")
    run_command("users", "activate", "ada@example.com")
    run_command("users", "seed", "3", "--random-seed", "7")

    recorded = events(app)

    assert [event.action for event in recorded] == [
        "user.created",
        "user.created",
        "user.password_changed",
        "session.ended_all",
        "user.deactivated",
        "user.activated",
        "users.seeded",
    ]
    assert {event.actor_id for event in recorded} == {None}


def test_C09_rejected_commands_record_no_event(run_command: Shell, app: Flask) -> None:
    run_command("users", "create", "--email", "ada@example.com", USER_PASSWORD="short")

    assert events(app) == []


def test_every_command_has_help(app: Flask, run_command: Shell) -> None:
    context = click.Context(app.cli)  # type: ignore[arg-type]
    groups = {name: app.cli.get_command(context, name) for name in ("users", "groups", "keys", "sessions", "mail")}
    commands = [(group, name) for group, command in groups.items() for name in command.commands]  # type: ignore[attr-defined]

    assert len(commands) >= 30
    for group, name in commands:
        assert run_command(group, name, "--help").exit_code == 0


def test_C08_the_real_command_exits_with_one_line_and_no_traceback(app: Flask) -> None:
    env = commands.environment_for(app)
    command = (*commands.FLASK, "users", "create", "--email", "ada@example.com", "--password-stdin")

    first = commands.run(*command, env=env, stdin=PASSWORD)
    second = commands.run(*command, env=env, stdin=PASSWORD)

    assert (first.code, first.errors) == (0, "")
    assert second.is_one_line, second
