"""Which records of an import are rejected, with their lines, and files that cannot be imported."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.factories import PASSWORD
from tests.support.import_files import (
    DJANGO_HASH,
    RunImport,
    as_csv,
    as_jsonl,
    import_command,
    import_event,
    stored_users,
    user_record,
)


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> RunImport:
    return import_command(app, tmp_path)


HOSTILE: dict[str, Any] = {
    "a NUL": user_record(first_name="A\x00da"),
    "a NUL in the address": user_record(email="a\x00da@example.com"),
    "a lone surrogate": '{"email": "ada@example.com", "first_name": "\\ud800"}',
    "a line end": user_record(last_name="Love\nlace"),
    "an escape": user_record(first_name="\x1b[31mred"),
    "no day": user_record(date_joined="2024-02-30"),
    "a day of the future": user_record(date_joined="2999-01-01"),
    "a day before the first": user_record(date_joined="0001-01-01T00:00:00+14:00"),
    "the last moment of all": user_record(last_login="9999-12-31T23:59:59-14:00"),
    "a number for a day": user_record(date_joined=1700000000),
    "a long name": user_record(first_name="x" * 151),
    "a long address": user_record(email="x" * 250 + "@example.com"),
    "a huge field": user_record(first_name="x" * 900_000),
    "a huge line": user_record(first_name="x" * 3_000_000),
    "a list": "[1, 2]",
    "a number": "1",
    "a text": '"ada@example.com"',
    "not a number": '{"email": "ada@example.com", "id": NaN}',
    "nested beyond reason": '{"email": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "broken JSON": '{"email": "ada@example.com"',
    "a list as an address": user_record(email=["ada@example.com"]),
    "an object as a name": user_record(first_name={"$ne": None}),
    "a text as a flag": user_record(is_staff="maybe"),
    "a number as a flag": user_record(is_superuser=1),
    "an id that is none": user_record(id="1; DROP TABLE users"),
    "a negative id": user_record(id=-1),
    "a fraction as an id": user_record(id=1.5),
    "a flag as an id": user_record(id=True),
    "a text as groups": user_record(groups="Editors"),
    "groups in groups": user_record(groups=[["Editors"]]),
    "a blank group": user_record(groups=[" "]),
    "too many groups": user_record(groups=[str(number) for number in range(1001)]),
    "an unknown field": user_record(surprise="x"),
    "no address": {"first_name": "Ada"},
    "an empty address": user_record(email=""),
    "a local address": user_record(email="ada@localhost"),
    "a group without a name": {"group": "", "permissions": []},
    "a group with a control character": {"group": "Edi\ttors"},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_invalid_records_are_rejected_with_their_lines_and_the_others_are_imported(
    app: Flask, import_file: RunImport, what: str
) -> None:
    content = as_jsonl(user_record(email="first@example.com"), HOSTILE[what], user_record(email="last@example.com"))

    result = import_file(content)

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert re.search(r"Rejected:\n  line 2: .+\n", result.stdout), result.stdout
    assert "2 imported, 0 updated, 0 already existed, 1 rejected" in result.stdout
    assert len(result.output) < 2000
    assert "\x1b" not in result.output
    assert [email for _id, email in stored_users(app)] == ["first@example.com", "last@example.com"]
    assert import_event(app) == {"read": 3, "made": 2, "refused": 1, "on_conflict": "skip"}


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"password_hash": "velvet tram"}, "unknown or damaged password hash"),
        ({"password_hash": "md5$salt$0123456789abcdef"}, "unknown or damaged password hash"),
        ({"password_hash": DJANGO_HASH.replace("$1000$", "$3000001$")}, "would take too long"),
        ({"password_hash": "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43}, "would take too long"),
        ({"password_hash": "bcrypt$$2b$03$" + "." * 53}, "damaged password hash"),
        ({"password_hash": "argon2$argon2id$v=18$m=16,t=1,p=1$" + "A" * 22 + "$" + "A" * 43}, "damaged password hash"),
        ({"password": PASSWORD}, "only hashes can be imported, as password_hash"),
    ],
)
def test_an_invalid_hash_is_rejected_and_never_printed(
    app: Flask, import_file: RunImport, overrides: dict[str, str], reason: str
) -> None:
    result = import_file(as_jsonl(user_record(**overrides)))

    assert result.exit_code == 1
    assert reason in result.stdout.lower()
    assert not [value for value in overrides.values() if value in result.output]
    assert stored_users(app) == []


@pytest.mark.parametrize(
    "bad",
    [
        b"ada@example.com,Ad\xe9\n",
        b"ada@example.com,A\x00da\n",
        b"ada@example.com,Ada,more\n",
        b'ada@example.com,"Ada"x\n',
        b"ada@example.com," + b"x" * 200_000 + b"\n",
        b"ada@example.com," + b"x" * 3_000_000 + b"\n",
    ],
)
def test_an_unreadable_row_is_rejected_and_the_others_are_imported(
    app: Flask, import_file: RunImport, bad: bytes
) -> None:
    content = b"email,first_name\nfirst@example.com,First\n" + bad + b"last@example.com,Last\n"

    result = import_file(content, name="users.csv")

    assert result.exit_code == 1
    assert "  line 3: " in result.stdout
    assert "2 imported" in result.stdout
    assert [email for _id, email in stored_users(app)] == ["first@example.com", "last@example.com"]


@pytest.mark.parametrize(
    ("bad", "name", "message"),
    [
        (b"ada@example.com,Ad\xe9\n", "users.csv", "line 2: Not valid UTF-8. Save the file as UTF-8."),
        (b'{"email": "ad\xe9@example.com"}\n', "users.jsonl", "line 1: Not valid UTF-8. Save the file as UTF-8."),
        (b'{"email": "' + b"x" * 2_000_000 + b'"}\n', "users.jsonl", "line 1: Longer than 1000000 characters."),
        (b'{"email"}\n', "users.jsonl", "line 1: Not valid JSON."),
        (b"[]\n", "users.jsonl", "line 1: Not a JSON object."),
        (b'{"email": "ada@example.com", "zip": "1"}\n', "users.jsonl", "line 1: zip: Unknown field."),
    ],
)
def test_a_reason_says_what_to_correct(app: Flask, import_file: RunImport, bad: bytes, name: str, message: str) -> None:
    result = import_file((b"email,first_name\n" if name == "users.csv" else b"") + bad, name=name)

    assert message in result.stdout.splitlines()[1]


def test_a_truncated_file_loses_only_its_last_row(app: Flask, import_file: RunImport) -> None:
    table = 'email,first_name\nfirst@example.com,First\nada@example.com,"Ad'
    lines = as_jsonl(user_record(email="bob@example.com")) + '{"email": "eve@exam'

    for content, name, place in ((table, "users.csv", "line 3: "), (lines, "users.jsonl", "line 2: ")):
        result = import_file(content, name=name)

        assert result.exit_code == 1
        assert place in result.stdout

    assert [email for _id, email in stored_users(app)] == ["first@example.com", "bob@example.com"]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("", "users.csv", "Line 1 must list the column names"),
        ("first_name\nAda\n", "users.csv", "The column email is required"),
        ("email,email\na@example.com,b@example.com\n", "users.csv", "each name once"),
        ("email,shoe_size\nada@example.com,38\n", "users.csv", "shoe_size"),
        ("email,password\nada@example.com,secret\n", "users.csv", "Only hashes can be imported"),
        ("email;first_name,last_name\nada@example.com;Ada,L\n", "users.csv", "separated by commas"),
        ("email\tfirst_name\nada@example.com\tAda\n", "users.csv", "separated by commas"),
        ("email;shoe_size\nada@example.com;38\n", "users.csv", "Unknown columns: shoe_size."),
        (as_csv({"email": "ada@example.com"}).encode("utf-16"), "users.csv", "UTF-16"),
    ],
)
def test_an_unreadable_file_gets_one_line(
    app: Flask, import_file: RunImport, content: str | bytes, name: str, message: str
) -> None:
    result = import_file(content, name=name)

    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (1, 1, "")
    assert message in result.stderr
    assert stored_users(app) == []


def test_an_unknown_format_or_a_missing_file_is_a_usage_error(app: Flask, import_file: RunImport) -> None:
    assert import_file("", name="users.xlsx").exit_code == 2
    assert app.test_cli_runner().invoke(args=["users", "import", "/nowhere/users.csv"]).exit_code == 2
