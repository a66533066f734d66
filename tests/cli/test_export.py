"""`flask users export`: the contents and permissions of the file, and importing it into either database."""

import csv
import io
import json
import stat
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from flask_migrate import upgrade

from tests.support import servers
from tests.support.api_client import ApiUser, sign_in
from tests.support.app_config import app_config
from tests.support.databases import delete_all_rows
from tests.support.factories import PROFILE, make_user
from userapi.app import create_app
from userapi.cli.transfer import IssueList
from userapi.core.db import db
from userapi.transfer import csv_cells, export, queries
from userapi.transfer.options import IssueKind

pytestmark = pytest.mark.both

Shell = Callable[..., Result]

#: Rows that must be the same after an export and an import.
KEPT = (
    "SELECT id, email, email_key, username, first_name, last_name, first_name_key, last_name_key, language, "
    "password_hash, is_active, is_staff, is_superuser, email_verified_at, pending_email, date_joined, last_login "
    "FROM users ORDER BY id",
    "SELECT * FROM user_profiles ORDER BY user_id",
    "SELECT name FROM groups ORDER BY name",
    "SELECT g.name, codename FROM group_permissions JOIN groups g ON g.id = group_id "
    "JOIN permissions p ON p.id = permission_id ORDER BY 1, 2",
    "SELECT user_id, name FROM user_groups JOIN groups ON id = group_id ORDER BY 1, 2",
    "SELECT user_id, codename FROM user_permissions JOIN permissions ON id = permission_id ORDER BY 1, 2",
)

#: Names with a special meaning in spreadsheets, CSV or careless parsers.
ODD = ('=HYPERLINK("x")', "+1", "-1", "@x", "'=1", "''@", "'tis", "  =1", "＝1", 'a "b", c; d', "[1]", "Ада", "null")


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["users", *arguments])


def rows(app: Flask, statement: str) -> list[Any]:
    with app.app_context():
        return [tuple(portable_value(value) for value in row) for row in db.session.execute(sa.text(statement))]


def portable_rows(app: Flask) -> list[list[Any]]:
    return [rows(app, statement) for statement in KEPT]


def portable_value(value: Any) -> Any:
    """A value in the form that both databases share."""
    if isinstance(value, bool):
        return int(value)
    text = str(value).replace("+00:00", "").removesuffix(".000000")
    return text if hasattr(value, "isoformat") else (text if isinstance(value, str) and value[:4].isdigit() else value)


@pytest.fixture
def populated(app: Flask, superuser: ApiUser, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """A service with every kind of user, exported in small batches."""
    monkeypatch.setattr(queries, "PAGE_SIZE", 5)
    for name in ODD:
        make_user(app, first_name=name, last_name=name, username=name)
    make_user(app, email="+plus@example.com", password=None, profile=None)
    make_user(
        app, email="eve@bücher.example", is_staff=True, profile=PROFILE | {"city": "Zürich", "country": "Schweiz"}
    )
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE users SET is_active = :off WHERE username = '+1'"), {"off": False})
        groups = "(7007, '=Editors; \"all\"'), (7009, 'Écrivains')"
        connection.execute(sa.text(f"INSERT INTO groups (id, name) VALUES {groups}"))
        connection.execute(sa.text("INSERT INTO group_permissions VALUES (7007, 1), (7007, 2), (7009, 3)"))
        members = "INSERT INTO user_groups SELECT id, 7007 FROM users WHERE is_active AND id % 2 = 0"
        for statement in (
            members,
            members.replace("7007", "7009"),
            "INSERT INTO user_permissions SELECT id, 4 FROM users WHERE is_staff",
        ):
            connection.execute(sa.text(statement))
    return app


@pytest.fixture(params=["jsonl", "csv"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both file formats."""
    return str(request.param)


@pytest.fixture
def other_app(database_kind: str, request: pytest.FixtureRequest, key_folder: str, tmp_path: Path) -> Iterator[Flask]:
    """An empty service on the other database."""
    url = f"sqlite:///{tmp_path}/other.db"
    with servers.postgresql() if database_kind == "sqlite" else nullcontext(url) as url:
        app = create_app(app_config(url, key_folder))
        with app.app_context():
            upgrade()
        yield app
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()


def test_U10_users_move_to_the_other_database_and_back(populated: Flask, other_app: Flask, tmp_path: Path) -> None:
    there, back = str(tmp_path / "there.jsonl"), str(tmp_path / "back.jsonl")
    before = portable_rows(populated)
    assert all(before)

    assert run(populated, "export", there, "--with-passwords").exit_code == 0
    moved = run(other_app, "import", there)

    assert (moved.exit_code, moved.stderr) == (0, "")
    assert portable_rows(other_app) == before
    highest = max(row[0] for row in before[0])
    assert make_user(other_app, email="later@example.com") > highest
    sign_in(other_app, "eve@bücher.example")
    with other_app.app_context():
        db.session.execute(sa.text("DELETE FROM users WHERE id > :id"), {"id": highest})
        db.session.execute(sa.text("UPDATE users SET last_login = NULL WHERE email LIKE 'eve%'"))
        db.session.commit()

    delete_all_rows(populated)
    assert run(other_app, "export", back, "--with-passwords").exit_code == 0
    assert run(populated, "import", back).exit_code == 0
    assert portable_rows(populated) == before


def test_U10_an_export_restores_all_users_after_a_loss(populated: Flask, kind: str, tmp_path: Path) -> None:
    file = str(tmp_path / f"users.{kind}")
    before = portable_rows(populated)
    assert run(populated, "export", file, "--with-passwords").exit_code == 0
    delete_all_rows(populated)

    result = run(populated, "import", file)

    assert (result.exit_code, result.stderr) == (0, "")
    after = portable_rows(populated)
    assert after[:2] == before[:2]
    assert after[4:] == before[4:]
    if kind == "jsonl":
        assert after[2:4] == before[2:4]


def test_an_export_can_be_imported_where_all_users_exist(
    populated: Flask, kind: str, superuser: ApiUser, tmp_path: Path
) -> None:
    file = str(tmp_path / f"users.{kind}")
    before = portable_rows(populated)
    run(populated, "export", file)

    skipped, updated = run(populated, "import", file), run(populated, "import", file, "--on-conflict", "update")

    assert (skipped.exit_code, updated.exit_code) == (0, 0), updated.output
    assert portable_rows(populated) == before
    assert superuser.get("/userapi/auth/user/").status_code == 200


def test_spreadsheets_evaluate_no_cell(populated: Flask) -> None:
    output = run(populated, "export", "--format", "csv").stdout
    assert output.startswith("\ufeffid,email,")  # the byte order mark that spreadsheets need
    table = list(csv.DictReader(io.StringIO(output)))

    cells = [cell for row in table for cell in row.values()]
    assert '\'=HYPERLINK("x")' in cells
    assert "'+plus@example.com" in cells
    assert [cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@", "＝"))] == []


def test_P16_hashes_are_exported_only_on_request(populated: Flask, kind: str) -> None:
    without = run(populated, "export", "--format", kind)
    with_them = run(populated, "export", "--format", kind, "--with-passwords")

    assert (without.exit_code, with_them.exit_code) == (0, 0)
    assert "argon2" not in without.stdout
    assert "password" not in without.stdout
    assert with_them.stdout.count("$argon2id$") == len(ODD) + 2


def test_only_the_owner_can_read_an_export_and_it_appears_when_complete(populated: Flask, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("old")
    file.chmod(0o644)

    result = run(populated, "export", str(file))

    assert result.stdout == f"Exported {len(ODD) + 3} users to {file}.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    assert len(file.read_text().splitlines()) == len(ODD) + 4


def test_a_failed_export_keeps_the_old_file_and_leaves_no_partial_one(
    populated: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "users.csv"
    file.write_text("old")
    monkeypatch.setattr(queries, "member_names", None)

    assert run(populated, "export", str(file)).exit_code == 1

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--staff",), "is_staff"),
        (("--inactive",), "NOT is_active"),
        (("--search", "+PLUS"), "email LIKE '+plus%'"),
        (("--country", "Schweiz"), "email LIKE 'eve%'"),
        (("--joined-after", "2999-01-01"), "1 = 0"),
        (("--joined-before", "2999-01-01T00:00:00Z"), "1 = 1"),
        (("--staff", "--country", "Schweiz"), "email LIKE 'eve%'"),
    ],
)
def test_an_export_has_the_filters_of_the_list(populated: Flask, options: tuple[str, ...], wanted: str) -> None:
    output = [json.loads(line) for line in run(populated, "export", *options).stdout.splitlines()]

    found = [user["id"] for user in output if "group" not in user]
    assert found == [row[0] for row in rows(populated, f"SELECT id FROM users WHERE {wanted} ORDER BY id")]


def test_K05_an_export_is_recorded_before_its_first_line_is_written(
    populated: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(populated, "export", "--country", "Schweiz", "--with-passwords")
    monkeypatch.setattr(queries, "member_names", None)
    run(populated, "export")

    found = rows(populated, "SELECT changes FROM audit_events WHERE action = 'users.exported' ORDER BY id")

    whole, broken = ((json.loads(row[0]) if isinstance(row[0], str) else row[0]) for row in found)
    assert whole == {"count": [None, 1], "country": [None, "Schweiz"], "passwords": [None, True]}
    assert broken == {"count": [None, 0], "passwords": [None, False]}


def test_an_export_is_one_snapshot_and_does_not_block_writers(populated: Flask) -> None:
    before = portable_rows(populated)
    file = io.StringIO()
    with populated.app_context():
        pages = export.export_users(export.JsonLinesExport(file), {}, with_passwords=False)
        for written in (0, 5):
            assert next(pages) == written
            db.session.commit()
        with db.engine.begin() as connection:
            for statement in ("DELETE FROM user_groups", "UPDATE users SET first_name = 'Changed'"):
                connection.execute(sa.text(statement))
        list(pages)

    output = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [user["first_name"] for user in output if "group" not in user] == [row[4] for row in before[0]]
    assert sum(len(user["groups"]) for user in output if "group" not in user) == len(before[4])


def test_C08_an_unknown_format_or_an_invalid_date_is_a_usage_error(app: Flask, tmp_path: Path) -> None:
    assert run(app, "export", str(tmp_path / "users.xlsx")).exit_code == 2
    assert run(app, "export", "--joined-after", "yesterday").exit_code == 2
    assert run(app, "export", str(tmp_path / "none" / "users.csv")).exit_code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["\t=1", "\tAda", "\r\n", "\nAda", "'\tAda", *ODD])
def test_an_escaped_cell_is_not_a_formula_and_reads_back_unchanged(text: str) -> None:
    cell = csv_cells.escape_formula(text)

    assert cell[0] not in "=+-@＝\t\r\n "
    assert csv_cells.unescape_formula(cell) == text


@pytest.mark.parametrize("text", ["\t=1", *ODD])
def test_the_report_of_an_import_contains_no_formula_either(text: str) -> None:
    file = io.StringIO(newline="")

    IssueList(file).add(IssueKind.REJECTED, "line 1", text)

    (kind, place, reason) = list(csv.reader(io.StringIO(file.getvalue(), newline="")))[1]
    assert (kind, place) == (IssueKind.REJECTED, "line 1")
    assert reason == csv_cells.escape_formula(text)
    assert csv_cells.unescape_formula(reason) == text
