"""`flask fields`: the declaration of profile fields, and the values that are stored."""

import json
import resource
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD
from tests.support.own_fields import EVERY_KIND, VALUES
from userapi.core import clock
from userapi.core.db import db
from userapi.users.field_models import UserFieldKey
from userapi.users.models import User, UserProfile

Declare = Callable[..., Flask]

COMPANY = '[profile.city]\nrequired = "no"\n[profile.company]\ntype = "line"\nmax = 20\n'


def run(app: Flask, *args: str) -> Result:
    return app.test_cli_runner().invoke(args=["fields", *args])


def add_user(app: Flask, profile: dict[str, Any] | None) -> int:
    """A user whose profile has exactly these own values and no built-in ones; no profile for None."""
    with app.app_context():
        number = (db.session.scalar(sa.select(sa.func.count()).select_from(User)) or 0) + 1
        email = f"person{number}@example.com"
        user = User(email=email, email_key=email, date_joined=clock.now())
        if profile is not None:
            user.profile = UserProfile()
            user.profile.set_values(profile)
        db.session.add(user)
        db.session.commit()
        return user.id


def values(app: Flask) -> dict[int, Any]:
    """The own values of all users with a profile, by id."""
    with app.app_context():
        return {row.user_id: row.extra for row in db.session.execute(sa.select(UserProfile.user_id, UserProfile.extra))}


def events(app: Flask, action: str) -> list[dict[str, Any]]:
    """The changes of the events of an action, the oldest first."""
    with app.app_context():
        rows = db.session.execute(
            sa.text("SELECT changes FROM audit_events WHERE action = :action ORDER BY id"), {"action": action}
        )
        return [json.loads(row.changes) if isinstance(row.changes, str) else row.changes for row in rows]


def test_show_prints_a_declaration_of_the_same_fields(declare: Declare, app: Flask) -> None:
    shown = run(declare(EVERY_KIND), "show").output

    assert list(tomllib.loads(shown)["profile"]) == list(VALUES)
    assert run(declare(shown), "show").output == shown
    assert list(tomllib.loads(run(app, "show").output)["profile"]) == [
        "title",
        "dob",
        "address",
        "country",
        "city",
        "zip",
    ]


@pytest.mark.both
def test_W22_check_counts_by_field_against_the_present_or_a_coming_declaration(
    declare: Declare, tmp_path: Path
) -> None:
    app = declare(COMPANY)
    for profile in ({"company": "Okafor", "city": "Bath"}, {"company": "x" * 21}, {"company": 5, "old": "a"}, {}, None):
        add_user(app, profile)
    coming = tmp_path / "coming.toml"
    coming.write_text('[profile.company]\ntype = "line"\nmax = 30\n[profile.size]\ntype = "integer"\n')

    present, future = run(app, "check"), run(app, "check", str(coming))

    assert present.output.splitlines()[:3] == [
        "field\tvalid\tmissing\tinvalid",
        "city\t1\t3\t0",
        "company\t1\t1\t2",
    ]
    assert "old is not declared; 1 profile has a value." in present.output
    assert present.exit_code == 1
    assert "company\t2\t1\t1" in future.output
    assert "size\t0\t4\t0" in future.output
    assert "city is not declared; 1 profile has a value." in future.output
    coming.write_text('[profile.company]\ntype = "blob"')
    assert "profile.company: type: " in run(app, "check", str(coming)).output


@pytest.mark.both
def test_W22_check_writes_and_locks_nothing(declare: Declare) -> None:
    app = declare(COMPANY)
    add_user(app, {"company": "Okafor"})
    statements: list[str] = []
    with app.app_context():
        engines = list(db.engines.values())
        for engine in engines:
            sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    assert run(app, "check").exit_code == 0

    assert len(statements) == 2  # a page, and the one that is empty
    assert all(statement.startswith("SELECT") and "FOR UPDATE" not in statement for statement in statements)


@pytest.mark.both
def test_fill_gives_a_value_where_there_is_none(declare: Declare) -> None:
    app = declare(COMPANY)
    first, second = add_user(app, {"company": "Okafor", "old": 1}), add_user(app, {"old": 2})
    add_user(app, None)

    done = run(app, "fill", "company", "--value", "None given")

    assert done.output == "Filled 1 profile.\n"
    assert values(app) == {
        first: {"company": "Okafor", "old": 1},
        second: {"company": "None given", "old": 2},
    }
    assert events(app, "fields.filled") == [{"field": [None, "company"], "count": [None, 1]}]
    assert run(app, "fill", "company", "--value", "Again").output == "Filled 0 profiles.\n"


def test_fill_reads_values_from_a_file_and_rejects_wrong_lines(declare: Declare, tmp_path: Path) -> None:
    app = declare(COMPANY)
    ids = [add_user(app, {}) for _ in range(3)]
    file = tmp_path / "values.csv"
    file.write_text(
        "\ufeffemail,profile.company\nPERSON1@example.com,'=Okafor\nperson2@example.com," + "x" * 21 + "\n"
        "absent@example.com,Finch\nperson3@example.com,\n"
    )

    done = run(app, "fill", "company", "--from", str(file))

    assert values(app) == {ids[0]: {"company": "=Okafor"}, ids[1]: None, ids[2]: None}
    assert done.exit_code == 1
    assert "line 3: Longer than maximum length 20." in done.output
    assert "line 4: There is no such user." in done.output
    file.write_text(f"id,company\n{ids[1]},Finch\n")
    assert run(app, "fill", "company", "--from", str(file)).output == "Filled 1 profile.\n"
    file.write_text(f"id,company\n{ids[0]},Heron\n{ids[1]},Heron\n")
    assert run(app, "fill", "company", "--from", str(file)).output == "Filled 0 profiles.\n"
    assert values(app) == {ids[0]: {"company": "=Okafor"}, ids[1]: {"company": "Finch"}, ids[2]: None}


@pytest.mark.both
def test_fill_rejects_a_unique_value_of_another_user(declare: Declare, tmp_path: Path) -> None:
    app = declare('[profile.badge]\ntype = "line"\nunique = true\n')
    first, second, third = (add_user(app, {}) for _ in range(3))
    file = tmp_path / "badges.csv"
    file.write_text(f"id,badge\n{first},A1\n{second},a1\n{third},B2\n")

    done = run(app, "fill", "badge", "--from", str(file))

    assert values(app) == {first: {"badge": "A1"}, second: None, third: {"badge": "B2"}}
    assert "line 3: Another user has this value." in done.output
    assert "values of badge are unique" in run(app, "fill", "badge", "--value", "C3").output


def test_W15_fill_does_not_make_a_profile_too_long(declare: Declare) -> None:
    app = declare('[profile.about]\ntype = "text"\nmax = 4000\n')
    full, other = add_user(app, {f"old{number}": "x" * 4000 for number in range(8)}), add_user(app, {})

    done = run(app, "fill", "about", "--value", "x" * 1000)

    assert "about" not in values(app)[full]
    assert "about" in values(app)[other]
    assert f"user {full}: The values would be too large." in done.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("size", "--value", "5"), "size is not declared"),
        (("company",), "Use either --value or --from"),
        (("company", "--value", "x" * 21), "--value: Longer than maximum length 20."),
        (("city", "--value", ""), "--value must not be empty"),
        (("company", "--from", __file__), "needs a column id or email, and a column company"),
    ],
)
def test_fill_says_what_is_wrong_before_it_writes(declare: Declare, arguments: tuple[str, ...], error: str) -> None:
    app = declare(COMPANY)

    done = run(app, "fill", *arguments)

    assert done.exit_code != 0
    assert error in done.output
    assert events(app, "fields.filled") == []


@pytest.mark.both
def test_W21_drop_leaves_no_value_and_no_value_in_the_audit_log(declare: Declare) -> None:
    before = declare(COMPANY + 'find = "exact"\n[profile.companyb]\ntype = "line"\nfind = "exact"\n')
    user = {"email": "wren@example.com", "password": PASSWORD, "profile": {"company": "Okafor", "companyb": "Kept"}}
    client = before.test_client()
    made = client.post("/userapi/users/", json=user).get_json()
    token = {"Authorization": f"Bearer {sign_in(before, 'wren@example.com')['access_token']}"}
    changed = {"profile": {"company": "Finch", "companyb": "Kept too"}}
    assert client.patch("/userapi/auth/user/", json=changed, headers=token).status_code == 200
    assert run(before, "drop", "company", "--yes").exit_code == 1, "the field is declared"
    after = declare('[profile.companyb]\ntype = "line"\nfind = "exact"\n')

    unconfirmed, done = run(after, "drop", "company"), run(after, "drop", "company", "--yes")

    assert unconfirmed.exit_code == 1
    assert "Delete all values of company, also from the audit log?" in unconfirmed.output
    assert done.output == "Deleted the value of 1 user.\n"
    assert values(after) == {made["id"]: {"companyb": "Kept too"}}
    with after.app_context():
        assert [key.field for key in db.session.scalars(sa.select(UserFieldKey))] == ["companyb"]
    assert events(after, "user.changed") == [{"profile.company": ["…", "…"], "profile.companyb": ["Kept", "Kept too"]}]
    assert events(after, "fields.dropped") == [{"field": [None, "company"], "count": [None, 1]}]


def test_drop_rejects_what_is_no_name(declare: Declare) -> None:
    done = run(declare(COMPANY), "drop", "x'); --", "--yes")

    assert done.exit_code == 1
    assert "A name has at most 40 characters" in done.output


@pytest.mark.both
def test_sql_prints_a_view_with_typed_columns(declare: Declare) -> None:
    app = declare(EVERY_KIND + '[profile.tax_id]\ntype = "line"\nsensitive = true\n')
    add_user(app, VALUES | {"tax_id": "x"})

    printed = run(app, "sql").output

    with app.app_context(), db.engine.begin() as connection:
        for statement in filter(str.strip, printed.split(";")):
            connection.execute(sa.text(statement.replace(":", r"\:")))
        row = connection.execute(sa.text("SELECT * FROM user_profile_fields")).mappings().one()
        total = connection.execute(sa.text("SELECT sum(budget), sum(employees) FROM user_profile_fields")).one()
        connection.execute(sa.text("DROP VIEW user_profile_fields"))
    assert set(row) == {"user_id", "email", *VALUES}
    assert (row["company"], row["employees"], bool(row["newsletter"])) == (VALUES["company"], -12, True)
    assert (float(total[0]), total[1]) == (1200.5, -12)


@pytest.mark.both
def test_the_doctor_says_whether_servers_use_the_declaration_and_which_keys_are_missing(declare: Declare) -> None:
    def findings(app: Flask) -> list[str]:
        lines = app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout.splitlines()
        return [finding["text"] for finding in map(json.loads, lines) if finding["subject"] == "fields"]

    one = declare(COMPANY)
    assert findings(one) == ["2 profile fields, 1 of them own; not served yet"]
    one.test_client().get("/userapi/profile-fields/")
    assert findings(one)[0].startswith("2 profile fields, 1 of them own; served since 2")
    two = declare(COMPANY + 'find = "exact"\n')

    changed, incomplete = findings(two)

    assert "differs from the one that a server last began to serve with" in changed
    assert "Run `flask fields reindex company`." in incomplete


@pytest.mark.slow
@pytest.mark.unmeasured
def test_W22_check_needs_no_more_memory_for_more_profiles(declare: Declare) -> None:
    app = declare(COMPANY)
    assert app.test_cli_runner().invoke(args=["users", "seed", "60000"]).exit_code == 0
    assert run(app, "check").exit_code == 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert app.test_cli_runner().invoke(args=["users", "seed", "60000", "--random-seed", "2"]).exit_code == 0
    between = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert "city\t120000\t0\t0" in run(app, "check").output

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - max(before, between) < 8 * 1024
