"""An application that serves unchanged clients of the replaced service, whose users are imported."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiClient
from tests.support.app_config import app_config
from tests.support.databases import close_app, delete_all_rows
from tests.support.legacy_clients import SECRET, OldUser, import_user
from userapi.app import create_app
from userapi.core import clock

MoveClock = Callable[..., None]


@pytest.fixture(scope="session")
def shared_legacy_app(shared_app: Flask, key_folder: str) -> Iterator[Flask]:
    settings = {"LEGACY_CLIENTS": "true", "LEGACY_JWT_SECRET": SECRET}
    app = create_app(app_config(shared_app.config["DATABASE_URL"], key_folder, **settings))
    app.test_client_class = ApiClient
    yield app
    close_app(app)


@pytest.fixture
def legacy_app(shared_legacy_app: Flask) -> Iterator[Flask]:
    """The application over an empty database."""
    delete_all_rows(shared_legacy_app)
    changed = dict(shared_legacy_app.config)
    yield shared_legacy_app
    shared_legacy_app.config.clear()
    shared_legacy_app.config.update(changed)


@pytest.fixture
def old_client(legacy_app: Flask) -> FlaskClient:
    """An anonymous client of the replaced service."""
    return legacy_app.test_client()


@pytest.fixture
def imported(legacy_app: Flask, tmp_path: Path) -> OldUser:
    """A user of the replaced service, imported from its dump."""
    return import_user(legacy_app, tmp_path)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    """Move the clock of the rules: `later(days=1)`."""
    real = clock.now

    def move_clock(**by: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(**by))

    return move_clock
