"""Without LEGACY_CLIENTS, nothing of it is there."""

import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

import config
from tests.support.api_client import ApiUser
from tests.support.app_config import app_config
from tests.support.factories import PASSWORD
from tests.support.legacy_clients import LOGOUT, ME, OBTAIN, REFRESH, SECRET, USERS
from userapi.core.environment import ConfigurationError


def test_clients_get_what_they_got_before(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    client = app.test_client()
    signed_in = client.post(OBTAIN, json={"email": user.email, "password": PASSWORD}).get_json()
    wrong = client.post(OBTAIN, json={"email": user.email, "password": "wrong"})

    assert set(signed_in) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (wrong.status_code, set(wrong.get_json())) == (401, {"type", "title", "status", "detail", "code"})
    assert client.get(ME, headers={"Authorization": f"JWT {signed_in['access_token']}"}).status_code == 401
    assert client.post(REFRESH, json={"token": signed_in["access_token"]}).status_code == 400
    assert "pk" not in user.get(ME).get_json()
    assert "results" in staff.get(USERS).get_json()
    assert client.post(LOGOUT).status_code == 401
    assert user.get(f"{ME}?format=xml").status_code == 200


def test_nothing_of_it_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys, config; from userapi.app import create_app; create_app(config.load({'SECRET_KEY': sys.argv[1]}));"
        "print([name for name in sys.modules if name.startswith(tuple(sys.argv[2:]))])"
    )
    secret = "vK3x-9QmZ_t7Rw2LpY8sUe5HbN4cJ6aG"

    modules = ("userapi.legacy", "userapi.auth.legacy", "userapi.auth.renewal")

    found = subprocess.run(
        [sys.executable, "-c", code, secret, *modules],
        cwd=config.ROOT, env={"USERAPI_INSTANCE": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"LEGACY_JWT_SECRET": SECRET}, "LEGACY_CLIENTS=true"),
        ({"LEGACY_CLIENTS": "true", "LEGACY_JWT_SECRET": "short"}, "32 characters"),
        ({"LEGACY_CLIENTS": "true", "LEGACY_REFRESH_LIFETIME": "1"}, "LEGACY_REFRESH_LIFETIME"),
    ],
)
def test_settings_that_are_unsafe_or_have_no_effect_are_rejected(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        app_config("sqlite:///test.db", "keys", **settings)
