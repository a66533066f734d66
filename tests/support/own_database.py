"""Applications on a database that a test chooses."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask
from flask_migrate import upgrade

from tests.support.api_client import ApiClient
from tests.support.app_config import app_config
from tests.support.databases import close_app
from userapi.app import create_app


@contextmanager
def migrated_app(url: str, key_folder: str) -> Iterator[Flask]:
    """The service with this database, which is migrated first."""
    with app_maker(url, key_folder) as make:
        app = make()
        with app.app_context():
            upgrade()
        yield app


@contextmanager
def app_maker(url: str, key_folder: str, **defaults: str) -> Iterator[Callable[..., Flask]]:
    """A maker of applications on this database, which are closed at the end: `make(LOG_LEVEL="DEBUG")`.

    Args:
        url: of the database, which has its tables.
        key_folder: with the signing keys.
        defaults: settings of those that are made without them.
    """
    made: list[Flask] = []

    def make(**overrides: str) -> Flask:
        app = create_app(app_config(url, key_folder, **(defaults | overrides)))
        app.test_client_class = ApiClient
        made.append(app)
        return app

    yield make
    for app in made:
        close_app(app)
