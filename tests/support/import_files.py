"""Import files for `flask users import`, the command itself, and the imported users."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result
from flask import Flask

from tests.support.sql import fetch_rows

RunImport = Callable[..., Result]

#: PASSWORD as Django would have hashed it, cheaply.
DJANGO_HASH = "pbkdf2_sha256$1000$wS4hXv1cQz$MA8xUcAefqqKVQBr4yzb5IdzucipXCvY9dQBBekcMPk="


def user_record(**fields: Any) -> dict[str, Any]:
    """A user as an import file describes it."""
    return {"email": "ada@example.com", "first_name": "Ada", **fields}


def as_jsonl(*lines: Any) -> str:
    return "".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines)


def as_csv(*lines: dict[str, str]) -> str:
    file = io.StringIO()
    columns = list(dict.fromkeys(name for each in lines for name in each))
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def import_command(app: Flask, folder: Path) -> RunImport:
    """`flask users import` of a text or bytes: `run_import(text, "--dry-run", name="users.csv")`."""

    def run_import(content: str | bytes, *options: str, name: str = "users.jsonl") -> Result:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return app.test_cli_runner().invoke(args=["users", "import", str(path), *options])

    return run_import


def stored_users(app: Flask) -> list[tuple[int, str]]:
    return [(row.id, row.email) for row in fetch_rows(app, "SELECT id, email FROM users ORDER BY id")]


def import_event(app: Flask) -> dict[str, Any]:
    """The changes in the audit event of the last import."""
    found = fetch_rows(app, "SELECT changes FROM audit_events WHERE action = 'users.imported' ORDER BY id DESC LIMIT 1")
    changes = found[0].changes
    found_changes: dict[str, Any] = json.loads(changes) if isinstance(changes, str) else changes
    return {name: after for name, (_before, after) in found_changes.items() if after}
