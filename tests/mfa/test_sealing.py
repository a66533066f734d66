"""Secrets in the database are encrypted with keys that are not in the database."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.support.data_keys import make_old_data_keys
from userapi.security import data_keys
from userapi.security.data_keys import CannotOpen, DataKeyMissing, DataKeys
from userapi.security.key_folder import KeyFolderError

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data_keys"


@pytest.fixture
def keyed_app(make_app: Callable[..., Flask], folder: Path) -> Flask:
    """An application with a data key."""
    DataKeys(folder).add()
    return make_app(DATA_KEY_DIR=str(folder))


def test_S21_a_sealed_secret_is_not_readable_and_different_each_time(keyed_app: Flask) -> None:
    with keyed_app.app_context():
        first, second = (data_keys.seal(SECRET, "totp", "1:2") for _ in range(2))

        assert SECRET not in first
        assert first != second
        assert data_keys.open_sealed(first, "totp", "1:2") == SECRET


@pytest.mark.parametrize(("purpose", "row"), [("totp", "1:3"), ("totp", "2:2"), ("other", "1:2")])
def test_S22_a_sealed_secret_opens_only_in_its_row(keyed_app: Flask, purpose: str, row: str) -> None:
    with keyed_app.app_context():
        sealed = data_keys.seal(SECRET, "totp", "1:2")

        with pytest.raises(CannotOpen):
            data_keys.open_sealed(sealed, purpose, row)


def test_S22_a_changed_secret_does_not_open(keyed_app: Flask) -> None:
    with keyed_app.app_context():
        sealed = data_keys.seal(SECRET, "totp", "1:2")
        assert data_keys.open_sealed(sealed, "totp", "1:2") == SECRET
        kid, content = data_keys.find_kid(sealed), sealed.rpartition(".")[2]
        swapped = "B" if content[20] == "A" else "A"

        for changed in (f"v1.{kid}.{content[:20]}{swapped}{content[21:]}", f"v1.{kid}.", f"v1.{kid}.ü", "", "v2.x.y"):
            with pytest.raises(CannotOpen):
                data_keys.open_sealed(changed, "totp", "1:2")


def test_S23_a_new_key_seals_and_the_old_one_still_opens(keyed_app: Flask, folder: Path) -> None:
    with keyed_app.app_context():
        before = data_keys.seal(SECRET, "totp", "1:2")
        code = data_keys.authenticate("7k3m", "recovery-code", "1")

        data_keys.get_data_keys().add()

        after = data_keys.seal(SECRET, "totp", "1:2")
        assert data_keys.find_kid(before) != data_keys.find_kid(after)
        assert {data_keys.open_sealed(sealed, "totp", "1:2") for sealed in (before, after)} == {SECRET}
        assert code in data_keys.authenticate_under_each_key("7k3m", "recovery-code", "1")


def test_S23_a_key_that_another_worker_created_opens_immediately(keyed_app: Flask, folder: Path) -> None:
    with keyed_app.app_context():
        data_keys.seal(SECRET, "totp", "1:2")
        data_keys.get_data_keys()._read_at -= 2  # a folder is read at most once a second
        other = DataKeys(folder).add()
        keyed_app.extensions["userapi-data-keys"], known = DataKeys(folder), keyed_app.extensions["userapi-data-keys"]
        sealed = data_keys.seal(SECRET, "totp", "1:2")
        keyed_app.extensions["userapi-data-keys"] = known

        assert data_keys.find_kid(sealed) == other.kid
        assert data_keys.open_sealed(sealed, "totp", "1:2") == SECRET


def test_S24_a_missing_key_is_named_and_answered_with_503(keyed_app: Flask, folder: Path) -> None:
    with keyed_app.app_context():
        sealed = data_keys.seal(SECRET, "totp", "1:2")
        data_keys.get_data_keys().add()
        oldest = min(folder.glob("*.key"))
        data_keys.get_data_keys().remove(oldest.stem)

        with pytest.raises(DataKeyMissing) as missing:
            data_keys.open_sealed(sealed, "totp", "1:2")

    assert (missing.value.status, missing.value.kid) == (503, data_keys.find_kid(sealed))


def test_no_data_key_exists_before_the_first_secret(make_app: Callable[..., Flask], folder: Path) -> None:
    app = make_app(DATA_KEY_DIR=str(folder))

    assert app.test_client().get("/readyz").status_code == 200
    assert not folder.exists()


def test_a_file_without_a_key_is_named(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.key").write_text("no key\n")

    with pytest.raises(KeyFolderError, match=r"DATA_KEY_DIR: a\.key does not contain 32 bytes"):
        DataKeys(folder).all()


def test_a_key_is_shown_without_its_material(folder: Path) -> None:
    key = make_old_data_keys(folder)[0]

    assert repr(key) == f"DataKey({key.kid})"
    assert [path.stat().st_mode & 0o777 for path in folder.glob("*.key")] == [0o600, 0o600]
