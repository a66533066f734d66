"""The service with the extension of `tests/extension_project`."""

from collections.abc import Iterator

import pytest
import shop
from flask import Flask
from flask_migrate import upgrade

from tests.support.api_client import ApiClient
from tests.support.app_config import app_config
from tests.support.databases import close_app, create_database, delete_all_rows
from userapi.app import create_app


@pytest.fixture(scope="session")
def shared_shop(
    database_kind: str,
    request: pytest.FixtureRequest,
    key_folder: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """One application with the shop, over a database that has its tables."""
    for url in create_database(database_kind, request, tmp_path_factory.mktemp("shop")):
        app = create_app(app_config(url, key_folder), extensions=[shop.extension])
        app.test_client_class = ApiClient
        with app.app_context():
            upgrade(revision="heads")
        yield app
        close_app(app)


@pytest.fixture
def app(shared_shop: Flask) -> Flask:
    """The application over a database without users."""
    delete_all_rows(shared_shop)
    return shared_shop
