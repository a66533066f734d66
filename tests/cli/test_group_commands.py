"""`flask groups`: groups are listed, created and deleted, and members added and removed."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from tests.support.api_client import ApiUser
from userapi.core.db import db

Groups = Callable[..., Result]


@pytest.fixture
def groups(app: Flask) -> Groups:
    """The `flask groups` command."""

    def invoke(*arguments: str, stdin: str = "") -> Result:
        return app.test_cli_runner().invoke(args=["groups", *arguments], input=stdin)

    return invoke


def listed(groups: Groups) -> dict[str, tuple[str, str]]:
    """The members and permissions of each group."""
    header, *lines = (line.split("\t") for line in groups("list").stdout.splitlines())
    assert header == ["name", "members", "permissions", "second step"]
    return {name: (members, permissions) for name, members, permissions, _second_step in lines}


def is_one_line(result: Result) -> bool:
    return result.exit_code == 1 and result.stderr.count("\n") == 1 and not result.stdout


def test_members_of_a_group_have_its_permissions_until_they_are_removed(
    groups: Groups, app: Flask, staff: ApiUser
) -> None:
    groups("create", "Helpers", "--permission", "view_event", "--permission", "view_group")

    added = groups("add", staff.email.upper(), "Helpers")

    assert (added.exit_code, added.stdout) == (0, f"{staff.email} is now a member of the group Helpers.\n")
    assert listed(groups)["Helpers"] == ("1", "view_event, view_group")
    of_group = app.test_cli_runner().invoke(args=["users", "list", "--group", "Helpers"]).stdout
    assert staff.email in of_group

    removed = groups("remove", staff.email, "Helpers")

    assert (removed.exit_code, removed.stdout) == (0, f"{staff.email} is no longer a member of the group Helpers.\n")
    assert listed(groups)["Helpers"] == ("0", "view_event, view_group")


def test_a_change_of_groups_keeps_the_other_groups_and_is_recorded(groups: Groups, app: Flask, user: ApiUser) -> None:
    for name in ("One", "Two"):
        groups("create", name)
        groups("add", user.email, name)
    groups("add", user.email, "Two")  # changes nothing
    groups("remove", user.email, "One")

    assert (listed(groups)["One"], listed(groups)["Two"]) == (("0", ""), ("1", ""))
    with app.app_context():
        statement = sa.text("SELECT action FROM audit_events WHERE action LIKE 'user.rights%' OR action LIKE 'group.%'")
        actions = sorted(row.action for row in db.session.execute(statement))
    assert actions == ["group.created"] * 2 + ["user.rights_changed"] * 3


def test_deleting_a_group_asks_for_confirmation(groups: Groups, user: ApiUser) -> None:
    groups("create", "Helpers")
    groups("add", user.email, "Helpers")

    unanswered = groups("delete", "Helpers")

    assert unanswered.exit_code == 1
    assert unanswered.stderr.startswith("Delete the group Helpers with 1 member?")
    assert "Helpers" in listed(groups)
    assert groups("delete", "Helpers", stdin="y\n").exit_code == 0
    assert "Helpers" not in listed(groups)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "unknown@example.com", "Helpers"), "There is no user with the email unknown@example.com."),
        (("remove", "unknown@example.com", "Helpers"), "There is no user with the email unknown@example.com."),
        (("add", "{email}", "Nothing"), "There is no group Nothing. To see all groups, run `flask groups list`."),
        (("delete", "Nothing"), "There is no group Nothing. To see all groups, run `flask groups list`."),
        (("remove", "{email}", "Helpers"), "{email} is not a member of the group Helpers."),
        (("create", "Helpers"), "name: Another group already has this name."),
        (("create", "helpers"), "name: Another group already has this name."),
        (("create", " HELPERS "), "name: Another group already has this name."),
        (("create", "\uff28elpers"), "name: Another group already has this name."),
        (("create", ""), "GROUP: Must not be blank."),
        (("create", "x" * 151), "GROUP: Longer than maximum length 150."),
        (("create", "Others", "--permission", "fly"), "Unknown permission 'fly'. Choose from: "),
    ],
)
def test_wrong_input_gets_one_line_and_changes_nothing(
    groups: Groups, user: ApiUser, arguments: tuple[str, ...], said: str
) -> None:
    groups("create", "Helpers")
    before = listed(groups)

    result = groups(*(argument.format(email=user.email) for argument in arguments))

    assert is_one_line(result), result.output
    assert result.stderr.startswith(f"Error: {said.format(email=user.email)}")
    assert listed(groups) == before


def test_a_missing_argument_is_a_usage_error(groups: Groups) -> None:
    missing, unknown = groups("add", "ada@example.com"), groups("nothing")

    assert (missing.exit_code, missing.stderr.splitlines()[-1]) == (2, "Error: Missing argument 'GROUP'.")
    assert (unknown.exit_code, unknown.stderr.splitlines()[-1]) == (2, "Error: No such command 'nothing'.")
