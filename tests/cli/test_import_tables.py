"""CSV files saved by spreadsheets, and files with an unclosed quote."""

from pathlib import Path

import pytest
from flask import Flask

from tests.support.import_files import RunImport, import_command, stored_users
from tests.support.sql import fetch_rows

pytestmark = pytest.mark.both

NAMES = "email,first_name,profile.title,profile.dob,profile.address,profile.country,profile.city,profile.zip,groups"
ADA = "ada@example.com,Ada,Ms,1990-12-10,1 Main St,US,Boston,02110"


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> RunImport:
    def invoke(content: str, *options: str) -> object:
        return import_command(app, tmp_path)(content, *options, name="users.csv")

    return invoke  # type: ignore[return-value]


@pytest.mark.parametrize(
    "table",
    [
        f"{NAMES},,\n{ADA},,,\n",
        f"{NAMES},,\n{ADA}, ,\u00a0,,\n",
        f"{NAMES}\n{ADA},\n,,,,,,,,\n , ,,,,,,,\n\n,\n",
        f"{NAMES}\n{ADA}\n",
        f"email,,{NAMES.removeprefix('email,')}\n{ADA.replace(',', ',,', 1)}\n",
        f"{NAMES}\r\n{ADA}\r\n",
        f"\ufeff{NAMES};;\r\n{ADA};;;\r\n;;;\r\n".replace(",", ";"),
        f'"{NAMES}";;\n"{ADA}"\n'.replace(",", '";"'),
    ],
    ids=[
        "columns at the end",
        "blanks in them",
        "rows of commas",
        "a short row",
        "a column between",
        "Windows",
        "semicolons",
        "semicolons and quotes",
    ],
)
def test_accepts_tables_saved_by_spreadsheets(app: Flask, import_file: RunImport, table: str) -> None:
    result = import_file(table)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "1 read, 1 imported, 0 updated, 0 already existed, 0 rejected, 0 changed" in result.stdout
    assert [tuple(row) for row in fetch_rows(app, "SELECT first_name, zip FROM users, user_profiles")] == [
        ("Ada", "02110")
    ]


def test_a_quoted_cell_may_contain_either_separator(app: Flask, import_file: RunImport) -> None:
    result = import_file('email;first_name;groups\nada@example.com;"Lovelace; Ada, née Byron";"Editors;Staff, all"\n')

    assert (result.exit_code, result.stderr) == (0, "")
    assert [row.first_name for row in fetch_rows(app, "SELECT first_name FROM users")] == ["Lovelace; Ada, née Byron"]
    groups = fetch_rows(app, "SELECT name FROM user_groups JOIN groups ON id = group_id ORDER BY name")
    assert [row.name for row in groups] == ["Editors", "Staff, all"]


def test_rows_separated_by_semicolons_are_named_by_line(app: Flask, import_file: RunImport) -> None:
    result = import_file("email;first_name\nada@example.com;Ada\nnot an email;Bob\neve@example.com;Eve;more\n")

    assert "line 3: email: " in result.stdout
    assert "line 4: Cell 3 has a value, but its column has no name in line 1." in result.stdout
    assert [email for _id, email in stored_users(app)] == ["ada@example.com"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"{ADA},Editors,more\n", "line 2: Cell 10 has a value, but its column has no name in line 1."),
        (f"{ADA},,,,more\n", "line 2: Cell 12 has a value, but its column has no name in line 1."),
        ("ada@example.com,Ad", "line 2: The file ends in the middle of this line."),
    ],
)
def test_rejects_a_row_that_does_not_fit_the_columns(app: Flask, import_file: RunImport, row: str, reason: str) -> None:
    result = import_file(f"{NAMES}\n{row}")

    assert result.exit_code == 1
    assert reason in result.stdout
    assert stored_users(app) == []


def test_an_unclosed_quote_names_every_following_line(app: Flask, import_file: RunImport) -> None:
    result = import_file(
        'email,first_name\nfirst@example.com,F\na@example.com,"Ann\nb@example.com,Bob\nc@example.com,Cid\n'
    )

    assert result.exit_code == 1
    assert "line 3: This line opens a quote that is never closed." in result.stdout
    for number in (4, 5):
        assert f"line {number}: Not read: it is inside a quote opened in line 3." in result.stdout
    assert "4 read, 1 imported, 0 updated, 0 already existed, 3 rejected" in result.stdout
    assert [email for _id, email in stored_users(app)] == ["first@example.com"]


def test_a_quote_closed_by_a_later_line_names_the_lines_between(app: Flask, import_file: RunImport) -> None:
    closed_badly = import_file(
        'email,first_name\na@example.com,"Ann\nb@example.com,Bob\nc@example.com,"Cid"\nd@example.com,D\n'
    )
    closed = import_file('email,first_name\na@example.com,"Ann\nb@example.com,Bob"\ne@example.com,E\n')

    assert "4 read, 1 imported, 0 updated, 0 already existed, 3 rejected" in closed_badly.stdout
    assert "lines 2 to 3: first_name: Control characters are not allowed." in closed.stdout
    assert [email for _id, email in stored_users(app)] == ["d@example.com", "e@example.com"]
