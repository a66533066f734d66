"""What several tests of commands need."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from tests.support.old_site import Import, OldSite, make_old_site
from userapi.core import clock
from userapi.security import signing_keys


@pytest.fixture(scope="session")
def old_site(tmp_path_factory: pytest.TempPathFactory) -> OldSite:
    return make_old_site(tmp_path_factory.mktemp("old_site"))


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> Import:
    """Runs `flask users import` with a dump as text or entries."""

    def invoke(dump: str | list[Any], *options: str, name: str = "users.json") -> Result:
        path = tmp_path / name
        path.write_text(dump if isinstance(dump, str) else json.dumps(dump))
        return app.test_cli_runner().invoke(args=["users", "import", str(path), *options])

    return invoke


@pytest.fixture
def set_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stops the clock at a time, in seconds since 1970."""
    return lambda seconds: monkeypatch.setattr(clock, "now", lambda: datetime.fromtimestamp(seconds, UTC))


@pytest.fixture
def healthy(make_app: Callable[..., Flask], tmp_path: Path) -> Callable[..., Flask]:
    """Makes healthy applications with their own key folders; arguments break one thing each."""
    signing_keys.KeyRing(tmp_path / "keys").add()

    def make_healthy_app(**overrides: str) -> Flask:
        well = {"SITE_URL": "http://127.0.0.1:8000", "RATELIMIT_ENABLED": "true", "WORKERS": "1"}
        return make_app(**well | {"JWT_KEY_DIR": str(tmp_path / "keys")} | overrides)

    return make_healthy_app
