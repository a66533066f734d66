"""Signing keys at the shell: rotated without a logout, retired with one."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from jwt import get_unverified_header

from tests.support.api_client import sign_in
from tests.support.factories import make_user
from userapi.core.db import db
from userapi.security import signing_keys


@pytest.fixture
def keyed_app(make_app: Callable[..., Flask], tmp_path: Path) -> Flask:
    """An application with a key folder that no other test uses, and one account."""
    signing_keys.KeyRing(tmp_path / "keys").add()
    app = make_app(JWT_KEY_DIR=str(tmp_path / "keys"))
    make_user(app, email="ada@example.com")
    return app


def keys(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["keys", *arguments])


def published(app: Flask) -> list[str]:
    return [key["kid"] for key in app.test_client().get("/.well-known/jwks.json").get_json()["keys"]]


def status_with(app: Flask, tokens: dict[str, Any]) -> int:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return app.test_client().get("/userapi/auth/user/", headers=headers).status_code


def signer(tokens: dict[str, Any]) -> str:
    return str(get_unverified_header(tokens["access_token"])["kid"])


def test_C12_a_new_key_signs_at_once_and_nobody_is_logged_out(keyed_app: Flask) -> None:
    before = sign_in(keyed_app, "ada@example.com")

    assert keys(keyed_app, "rotate").exit_code == 0

    after = sign_in(keyed_app, "ada@example.com")
    assert published(keyed_app) == [signer(after), signer(before)]
    assert signer(after) != signer(before)
    assert (status_with(keyed_app, before), status_with(keyed_app, after)) == (200, 200)


def test_C12_a_retired_key_verifies_nothing_any_more(keyed_app: Flask) -> None:
    before = sign_in(keyed_app, "ada@example.com")
    keys(keyed_app, "rotate")
    after = sign_in(keyed_app, "ada@example.com")

    assert keys(keyed_app, "retire", signer(before), "--yes").exit_code == 0

    assert published(keyed_app) == [signer(after)]
    assert (status_with(keyed_app, before), status_with(keyed_app, after)) == (401, 200)


def test_C12_in_an_emergency_one_command_logs_everyone_out(keyed_app: Flask) -> None:
    keys(keyed_app, "rotate")
    before = sign_in(keyed_app, "ada@example.com")

    assert keys(keyed_app, "rotate", "--retire-others", "--yes").exit_code == 0

    assert status_with(keyed_app, before) == 401
    refresh = {"refresh_token": before["refresh_token"]}
    assert keyed_app.test_client().post("/api-token-refresh/", json=refresh).status_code == 401
    assert published(keyed_app) == [signer(sign_in(keyed_app, "ada@example.com"))]


@pytest.mark.parametrize("command", ["rotate --retire-others", "retire"])
def test_what_signs_users_out_asks_first(keyed_app: Flask, command: str) -> None:
    keys(keyed_app, "rotate")
    before = published(keyed_app)
    arguments = [*command.split(), *([before[1]] if command == "retire" else [])]

    unanswered = keys(keyed_app, *arguments)

    assert unanswered.exit_code == 1
    assert unanswered.stderr.endswith("Error: Nothing was changed. To confirm, answer y or use --yes.\n")
    assert published(keyed_app) == before


def test_the_key_that_signs_cannot_be_retired(keyed_app: Flask) -> None:
    tokens = sign_in(keyed_app, "ada@example.com")

    refused = keys(keyed_app, "retire", signer(tokens), "--yes")

    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "flask keys rotate" in refused.stderr
    assert status_with(keyed_app, tokens) == 200


@pytest.mark.parametrize("kid", ["nothing", "-abc_", "--abc-"])
def test_an_unknown_key_is_said_to_be_unknown(keyed_app: Flask, kid: str) -> None:
    refused = keys(keyed_app, "retire", kid)

    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "flask keys list" in refused.stderr


def test_the_list_tells_which_key_signs_and_how_long_the_others_are_needed(keyed_app: Flask) -> None:
    keys(keyed_app, "rotate")

    newest, oldest = keys(keyed_app, "list").stdout.splitlines()

    assert newest.endswith("  signs")
    assert re.search(r"  verifies; needed until \d{4}-\d\d-\d\d \d\d:\d\d UTC$", oldest)


def test_C05_a_key_file_is_its_owners_alone(keyed_app: Flask) -> None:
    keys(keyed_app, "rotate")

    folder = Path(keyed_app.config["JWT_KEY_DIR"])
    assert [path.stat().st_mode & 0o777 for path in folder.glob("*.pem")] == [0o600, 0o600]


def test_C09_rotation_is_in_the_trail(keyed_app: Flask) -> None:
    keys(keyed_app, "rotate", "--retire-others", "--yes")

    with keyed_app.app_context():
        found = db.session.execute(sa.text("SELECT action FROM audit_events WHERE target_kind = 'key' ORDER BY id"))
        assert [row.action for row in found] == ["key.added", "key.retired"]


def test_C09_no_key_signs_or_goes_that_the_trail_does_not_know_of(keyed_app: Flask) -> None:
    keys(keyed_app, "rotate")
    signs, verifies = published(keyed_app)
    with keyed_app.app_context():
        db.session.execute(sa.text("ALTER TABLE audit_events RENAME TO no_events"))
        db.session.commit()

    try:
        results = [keys(keyed_app, *command) for command in (("rotate",), ("retire", "--yes", verifies))]
    finally:
        with keyed_app.app_context():
            db.session.execute(sa.text("ALTER TABLE no_events RENAME TO audit_events"))
            db.session.commit()

    assert [result.exit_code for result in results] == [1, 1]
    assert published(keyed_app) == [signs, verifies]
    assert keys(keyed_app, "retire", "--yes", verifies).exit_code == 0
    assert published(keyed_app) == [signs]
