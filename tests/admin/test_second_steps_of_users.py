"""Staff and operators find users by their second step."""

import re

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.passkeys import add_passkey
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql
from tests.support.staff_client import StaffClient, staff_client
from tests.support.statement_counter import record_statements

LIST = "/admin/users/"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    """A superuser without a second step, among users with each kind, in all and none."""
    names = ("app", "passkey", "both", "locked", "off")
    ids = {name: make_user(app, email=f"{name}@example.com", email_verified=True) for name in names}
    for name in ("app", "both", "locked", "off"):
        set_up_app(app, ids[name])
    for name in ("passkey", "both"):
        add_passkey(app, ids[name])
    execute_sql(app, "DELETE FROM totp_devices WHERE user_id = :id", id=ids["locked"])
    execute_sql(app, "DELETE FROM recovery_codes WHERE user_id = :id", id=ids["locked"])
    execute_sql(app, "UPDATE second_factors SET active_since = NULL WHERE user_id = :id", id=ids["off"])
    return staff_client(app, is_staff=True, is_superuser=True, email="boss@example.com")


def listed(boss: StaffClient, query: str) -> set[str]:
    text = boss.get(f"{LIST}?{query}").text
    return set(re.findall(r'<th scope="row"><a [^>]*>([^<@]*)@[^<]*</a>', text))


@pytest.mark.both
def test_the_list_is_filtered_by_the_second_step(boss: StaffClient) -> None:
    assert listed(boss, "second_step=none") == {"boss", "off"}
    assert listed(boss, "second_step=none&is_staff=true") == {"boss"}
    assert listed(boss, "second_step=none&search=off") == {"off"}
    assert listed(boss, "second_step=app") == {"app", "both"}
    assert listed(boss, "second_step=passkey") == {"passkey", "both"}
    assert listed(boss, "second_step=locked") == {"locked"}
    wrong = boss.get(f"{LIST}?second_step=maybe").text
    assert "Choose one of the options." in wrong
    assert "No users found." in wrong


def test_a_column_shows_the_second_step_and_costs_one_statement_only_if_it_is_chosen(boss: StaffClient) -> None:
    boss.get(LIST)
    with record_statements(boss.app) as without:
        boss.get(LIST)
    boss.post(f"{LIST}columns/", columns="second_step")

    with record_statements(boss.app) as seen:
        page = boss.get(LIST).text

    rows = dict(re.findall(r'>([a-z]+)@example\.com</a>.*?<td class="of-second_step">(.*?)</td>', page, re.DOTALL))
    assert rows == {
        "app": "Authenticator app",
        "passkey": "Passkey",
        "both": "Authenticator app, Passkey",
        "locked": "Locked",
        "off": "–",
        "boss": "–",
    }
    assert len(seen) == len(without) + 1
    assert not any("second_factors.user_id IN" in statement for statement in without)


def test_the_command_line_lists_users_without_a_second_step_and_those_who_cannot_do_theirs(boss: StaffClient) -> None:
    def emails(*options: str) -> set[str]:
        shown = boss.app.test_cli_runner().invoke(args=["users", "list", *options]).stdout
        return set(re.findall(r"(\S+)@example\.com", shown))

    assert emails("--without-second-step") == {"boss", "off"}
    assert emails("--without-second-step", "--staff") == {"boss"}
    assert emails("--locked-second-step") == {"locked"}


def test_the_doctor_counts_users_who_have_nothing_to_do_their_second_step_with(boss: StaffClient) -> None:
    shown = boss.app.test_cli_runner().invoke(args=["doctor"]).stdout

    assert "1 user cannot sign in: the second step is on, and no factor is left for it." in " ".join(shown.split())
