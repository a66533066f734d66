"""The example of an application that mounts the service, and another one that shares every name with it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bookshop
import pytest
from bookshop import models
from flask import Flask
from flask.cli import FlaskGroup

from tests.support.app_config import app_config
from tests.support.databases import close_app
from userapi.mounting import MOUNTED, mount


@pytest.fixture
def shop_environment(new_database_url: str, key_folder: str) -> dict[str, str]:
    """The environment of the bookshop, with settings of the accounts for tests."""
    return {
        "SECRET_KEY": "of the shop",
        "DATABASE_URL": new_database_url.replace("postgresql:", "postgresql+psycopg:"),
        "ACCOUNTS_SECRET_KEY": "vK3x-9QmZ_t7Rw2LpY8sUe5HbN4cJ6aG",
        "ACCOUNTS_JWT_KEY_DIR": key_folder,
        "ACCOUNTS_SITE_URL": "http://localhost",
        "ACCOUNTS_PASSWORD_HASH_MEMORY": "8",
        "ACCOUNTS_PASSWORD_HASH_TIME": "1",
        "ACCOUNTS_MAIL_DELIVERY": "none",
        "ACCOUNTS_RATELIMIT_ENABLED": "false",
    }


@pytest.fixture
def shop(shop_environment: dict[str, str]) -> Iterator[Flask]:
    """The bookshop with all tables."""
    app = bookshop.create_app(shop_environment)
    for command in ("userapi db upgrade", "db upgrade"):
        run_command(app, command)
    yield app
    close_app(app.extensions[MOUNTED])
    with app.app_context():
        models.db.engine.dispose()


def run_command(app: Flask, command: str) -> str:
    """The output of a command that succeeds, run as `flask --app … COMMAND` runs it."""
    group = FlaskGroup(create_app=lambda: app, set_debug_flag=False)
    result = app.test_cli_runner().invoke(group, command.split())
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def run() -> Callable[[Flask, str], str]:
    """Runs a command: `run(app, "userapi db upgrade")`."""
    return run_command


@pytest.fixture
def mount_in(key_folder: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Mounts the service: `mount_in(host, parts=("pages",))`; with `is_migrated=False`, over an empty database."""
    mounted: list[Flask] = []

    def mount_service(host: Flask, *, is_migrated: bool = True, **options: Any) -> Flask:
        ours = mount(host, app_config(f"sqlite:///{tmp_path}/accounts.db", key_folder), **options)
        mounted.append(ours)
        if is_migrated:
            run_command(host, "userapi db upgrade heads")
        return ours

    yield mount_service
    for app in mounted:
        close_app(app)
