"""`flask data-keys`: rotating makes no secret unreadable, and a key that may be needed stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from tests.support.data_keys import age_data_keys, make_old_data_keys
from tests.support.factories import make_user
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_rows
from userapi.core.db import db
from userapi.mfa import codes
from userapi.security import data_keys
from userapi.security.data_keys import DataKeyMissing, DataKeys


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


@pytest.fixture
def user_id(keyed_app: Flask) -> int:
    return make_user(keyed_app)


def use_code(app: Flask, user_id: int, code: str) -> str:
    """What a code proves."""
    with app.app_context():
        proved = codes.check(user_id, code)
        db.session.commit()
        return proved


def test_S23_a_rotation_seals_every_secret_again_and_codes_work_throughout(
    keyed_app: Flask, folder: Path, user_id: int
) -> None:
    phone, recovery = set_up_app(keyed_app, user_id)
    (old,) = DataKeys(folder).all()
    age_data_keys(folder)

    rotated = run(keyed_app, "rotate")

    assert "Sealed 1 secret again." in rotated.stdout
    new = DataKeys(folder).newest()
    (row,) = fetch_rows(keyed_app, "SELECT secret FROM totp_devices")
    assert data_keys.find_kid(row.secret) == new.kid
    assert use_code(keyed_app, user_id, phone.code()) == "otp"
    assert use_code(keyed_app, user_id, recovery[0]) == "lookup"
    age_data_keys(folder)
    needed = run(keyed_app, "retire", old.kid, "--yes")
    assert "This key is still in use. Authenticator apps: 0. Recovery codes: 9." in needed.stderr


def test_S23_a_rotation_that_was_interrupted_is_finished(keyed_app: Flask, folder: Path, user_id: int) -> None:
    phone, _recovery = set_up_app(keyed_app, user_id)
    execute_sql(keyed_app, "DELETE FROM recovery_codes")
    (old,) = DataKeys(folder).all()
    with keyed_app.app_context():
        data_keys.get_data_keys().add()  # as a rotation does first
    age_data_keys(folder)
    assert "Authenticator apps: 1." in run(keyed_app, "retire", old.kid, "--yes").stderr

    assert run(keyed_app, "rotate", "--resume").exit_code == 0

    assert len(DataKeys(folder).all()) == 2
    assert run(keyed_app, "retire", old.kid, "--yes").exit_code == 0
    assert use_code(keyed_app, user_id, phone.code()) == "otp"


def test_S23_a_used_code_moves_its_secret_to_the_newest_key(keyed_app: Flask, folder: Path, user_id: int) -> None:
    phone, _recovery = set_up_app(keyed_app, user_id)
    with keyed_app.app_context():
        new = data_keys.get_data_keys().add()

    use_code(keyed_app, user_id, phone.code())

    (row,) = fetch_rows(keyed_app, "SELECT secret FROM totp_devices")
    assert data_keys.find_kid(row.secret) == new.kid


def test_S24_a_missing_key_is_named_by_the_doctor_and_its_codes_get_503(
    keyed_app: Flask, folder: Path, user_id: int
) -> None:
    phone, recovery = set_up_app(keyed_app, user_id)
    (old,) = DataKeys(folder).all()
    (folder / f"{old.name}.key").rename(folder / "kept")
    keyed_app.extensions["userapi-data-keys"] = DataKeys(folder)

    report = keyed_app.test_cli_runner().invoke(args=["doctor"]).stdout

    assert f"DATA_KEY_DIR: The key {old.kid} is missing, so 1 authenticator apps and 10 recovery codes" in report
    for code in (phone.code(), recovery[0]):
        with pytest.raises(DataKeyMissing):
            use_code(keyed_app, user_id, code)
    (folder / "kept").rename(folder / f"{old.name}.key")
    keyed_app.extensions["userapi-data-keys"] = DataKeys(folder)
    assert use_code(keyed_app, user_id, phone.code()) == "otp"
