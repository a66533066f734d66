"""Names without visible characters or with direction controls: rejected by commands, left out by imports."""

from pathlib import Path

import pytest
from flask import Flask

from tests.support.factories import PASSWORD
from tests.support.import_files import as_csv, as_jsonl, import_command
from tests.support.sql import fetch_rows

REJECTED = ("\u200b", "\u2066\u2069", "\u2800", "\u034f\ufe0f", "Ada\u202egnp.exe", "\u2067Ada")


@pytest.mark.parametrize("field", ["first_name", "last_name", "username"])
def test_commands_reject_names_that_the_api_rejects(app: Flask, field: str) -> None:
    option = f"--{field.replace('_', '-')}"
    for text in REJECTED:
        result = app.test_cli_runner().invoke(
            args=["users", "create", "--email", "new@example.com", option, text], env={"USER_PASSWORD": PASSWORD}
        )
        assert result.exit_code != 0, repr(text)
        assert option in result.stderr


@pytest.mark.parametrize("field", ["first_name", "last_name"])
@pytest.mark.parametrize("name", ["users.jsonl", "users.csv"])
def test_an_import_leaves_out_names_that_the_api_rejects_and_reports_them(
    app: Flask, tmp_path: Path, name: str, field: str
) -> None:
    records = [{"email": f"u{number}@example.com", field: text} for number, text in enumerate(REJECTED)]

    result = import_command(app, tmp_path)((as_csv if name.endswith("csv") else as_jsonl)(*records), name=name)

    assert result.exit_code == 0, result.output
    assert (
        f"{len(REJECTED)} imported, 0 updated, 0 already existed, 0 rejected, {len(REJECTED)} changed" in result.stdout
    )
    assert f"Skipped fields: {field}: " in result.stdout
    assert {row[0] for row in fetch_rows(app, f"SELECT {field} FROM users WHERE email LIKE 'u%'")} == {""}
