"""`flask keys`: rotating signs no user out; retiring does."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from jwt import get_unverified_header

from tests.support.api_client import sign_in
from tests.support.factories import make_user
from userapi.core import clock
from userapi.core.db import db
from userapi.security import signing_keys


@pytest.fixture
def keyed_app(make_app: Callable[..., Flask], tmp_path: Path) -> Flask:
    """An application with its own key folder and one account."""
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


def test_C12_a_new_key_signs_immediately_and_users_stay_signed_in(keyed_app: Flask) -> None:
    before = sign_in(keyed_app, "ada@example.com")

    assert keys(keyed_app, "rotate").exit_code == 0

    after = sign_in(keyed_app, "ada@example.com")
    assert published(keyed_app) == [signer(after), signer(before)]
    assert signer(after) != signer(before)
    assert (status_with(keyed_app, before), status_with(keyed_app, after)) == (200, 200)


def test_C12_a_retired_key_no_longer_verifies(keyed_app: Flask) -> None:
    before = sign_in(keyed_app, "ada@example.com")
    keys(keyed_app, "rotate")
    after = sign_in(keyed_app, "ada@example.com")

    assert keys(keyed_app, "retire", signer(before), "--yes").exit_code == 0

    assert published(keyed_app) == [signer(after)]
    assert (status_with(keyed_app, before), status_with(keyed_app, after)) == (401, 200)


def test_C12_one_command_signs_everyone_out_in_an_emergency(keyed_app: Flask) -> None:
    keys(keyed_app, "rotate")
    before = sign_in(keyed_app, "ada@example.com")

    assert keys(keyed_app, "rotate", "--retire-others", "--yes").exit_code == 0

    assert status_with(keyed_app, before) == 401
    refresh = {"refresh_token": before["refresh_token"]}
    assert keyed_app.test_client().post("/api-token-refresh/", json=refresh).status_code == 401
    assert published(keyed_app) == [signer(sign_in(keyed_app, "ada@example.com"))]


@pytest.mark.parametrize("command", ["rotate --retire-others", "retire"])
def test_commands_that_sign_users_out_ask_for_confirmation(keyed_app: Flask, command: str) -> None:
    keys(keyed_app, "rotate")
    before = published(keyed_app)
    arguments = [*command.split(), *([before[1]] if command == "retire" else [])]

    unanswered = keys(keyed_app, *arguments)

    assert unanswered.exit_code == 1
    assert unanswered.stderr.endswith("Error: Nothing was changed. To confirm, answer y or use --yes.\n")
    assert published(keyed_app) == before


def test_the_key_that_signs_cannot_be_retired(keyed_app: Flask) -> None:
    tokens = sign_in(keyed_app, "ada@example.com")

    rejected = keys(keyed_app, "retire", signer(tokens), "--yes")

    assert (rejected.exit_code, rejected.stderr.count("\n")) == (1, 1)
    assert "flask keys rotate" in rejected.stderr
    assert status_with(keyed_app, tokens) == 200


@pytest.mark.parametrize("kid", ["nothing", "-abc_", "--abc-"])
def test_an_unknown_key_is_reported(keyed_app: Flask, kid: str) -> None:
    rejected = keys(keyed_app, "retire", kid)

    assert (rejected.exit_code, rejected.stderr.count("\n")) == (1, 1)
    assert "flask keys list" in rejected.stderr


def test_the_list_shows_which_key_signs_and_how_long_the_others_are_needed(keyed_app: Flask) -> None:
    keys(keyed_app, "rotate")

    newest, oldest = keys(keyed_app, "list").stdout.splitlines()

    assert newest.endswith("  signs")
    assert re.search(r"  verifies; needed until \d{4}-\d\d-\d\d \d\d:\d\d UTC$", oldest)


def test_a_key_is_needed_as_long_as_refresh_tokens_of_clients_that_it_signed(keyed_app: Flask) -> None:
    keyed_app.config["OPENID_REFRESH_IDLE"] = 2 * keyed_app.config["SESSION_LIFETIME"]
    keys(keyed_app, "rotate")

    until = keys(keyed_app, "list").stdout.rpartition("needed until ")[2].split()[0]

    lifetime = timedelta(seconds=keyed_app.config["OPENID_REFRESH_IDLE"])
    assert abs((date.fromisoformat(until) - (clock.now() + lifetime).date()).days) <= 1


def test_C05_only_the_owner_can_read_a_key_file(keyed_app: Flask) -> None:
    keys(keyed_app, "rotate")

    folder = Path(keyed_app.config["JWT_KEY_DIR"])
    assert [path.stat().st_mode & 0o777 for path in folder.glob("*.pem")] == [0o600, 0o600]


def test_C09_rotation_is_recorded(keyed_app: Flask) -> None:
    keys(keyed_app, "rotate", "--retire-others", "--yes")

    with keyed_app.app_context():
        found = db.session.execute(sa.text("SELECT action FROM audit_events WHERE target_kind = 'key' ORDER BY id"))
        assert [row.action for row in found] == ["key.added", "key.retired"]


def test_C09_no_key_is_added_or_removed_without_an_event(keyed_app: Flask) -> None:
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
