"""`flask data-keys`: rotating makes no secret unreadable, and a key that may be needed stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from tests.support.data_keys import age_data_keys, make_old_data_keys
from userapi.core.db import db
from userapi.security import data_keys
from userapi.security.data_keys import DataKeys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data_keys"


@pytest.fixture
def keyed_app(make_app: Callable[..., Flask], folder: Path) -> Flask:
    return make_app(DATA_KEY_DIR=str(folder))


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["data-keys", *arguments])


def recorded(app: Flask) -> list[str]:
    with app.app_context():
        statement = sa.text("SELECT action FROM audit_events WHERE action LIKE 'data_key.%' ORDER BY id")
        return list(db.session.scalars(statement))


def test_S23_a_rotation_creates_a_key_that_seals_from_now_on(keyed_app: Flask, folder: Path) -> None:
    assert run(keyed_app, "rotate").exit_code == 0
    first = DataKeys(folder).newest()
    assert run(keyed_app, "rotate").exit_code == 0

    newest, older = run(keyed_app, "list").stdout.splitlines()

    assert older == f"{first.kid}  {first.name}  opens"
    assert newest.endswith("  seals")
    assert recorded(keyed_app) == ["data_key.added", "data_key.added"]
    with keyed_app.app_context():
        assert data_keys.find_kid(data_keys.seal("text", "totp", "1")) == newest.split()[0]


def test_S23_an_unneeded_key_is_deleted(keyed_app: Flask, folder: Path) -> None:
    newest, older = make_old_data_keys(folder)

    assert run(keyed_app, "retire", older.kid, "--yes").exit_code == 0

    assert [key.kid for key in DataKeys(folder).all()] == [newest.kid]
    assert recorded(keyed_app) == ["data_key.retired"]


@pytest.mark.parametrize(
    ("which", "words"),
    [("newest", "flask data-keys rotate"), ("unknown", "flask data-keys list"), ("just replaced", "in a minute")],
)
def test_S23_a_key_that_may_be_in_use_stays(keyed_app: Flask, folder: Path, which: str, words: str) -> None:
    newest, older = make_old_data_keys(folder)
    if which == "just replaced":
        run(keyed_app, "rotate")
    kid = {"newest": newest.kid, "unknown": "nothing", "just replaced": newest.kid}[which]

    rejected = run(keyed_app, "retire", kid, "--yes")

    assert (rejected.exit_code, rejected.stderr.count("\n")) == (1, 1)
    assert words in rejected.stderr
    assert {older.kid, newest.kid} <= {key.kid for key in DataKeys(folder).all()}
    age_data_keys(folder)
    assert run(keyed_app, "retire", older.kid, "--yes").exit_code == 0


def test_retiring_asks_for_confirmation(keyed_app: Flask, folder: Path) -> None:
    _newest, older = make_old_data_keys(folder)

    unanswered = run(keyed_app, "retire", older.kid)

    assert unanswered.exit_code == 1
    assert "Nothing was changed" in unanswered.stderr
    assert len(DataKeys(folder).all()) == 2


def test_S24_the_doctor_names_a_data_key_that_others_can_read(keyed_app: Flask, folder: Path) -> None:
    make_old_data_keys(folder)
    exposed = min(folder.glob("*.key"))
    exposed.chmod(0o644)

    report = keyed_app.test_cli_runner().invoke(args=["doctor"]).stdout

    assert f"DATA_KEY_DIR: Other users of this machine can read {exposed}" in report


def test_S24_the_doctor_names_a_file_that_is_no_key(keyed_app: Flask, folder: Path) -> None:
    folder.mkdir()
    (folder / "a.key").write_text("no key\n")

    report = keyed_app.test_cli_runner().invoke(args=["doctor"]).stdout

    assert "DATA_KEY_DIR: a.key does not contain 32 bytes in base64" in report
