"""Fixtures say who is calling; `factories` fills in the rest."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import services
import serving
import sqlalchemy as sa
from factories import PASSWORD, make_user
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from settings import settings
from werkzeug.test import TestResponse

from userapi.app import create_app
from userapi.core.db import Model, db
from userapi.core.loop import THREADS
from userapi.security import signing_keys

pytest_plugins = ["measuring", "watching", "stacking"]

DATABASES = ("sqlite", "postgresql")


# Started in the background, as by nohup, we ignore Ctrl-C, and so would the servers that tests stop with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=(*DATABASES, "both"),
        default="both",
        help="run the tests that need one on this database",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--database")
        metafunc.parametrize("database_kind", DATABASES if wanted == "both" else (wanted,), scope="session")


class Client(FlaskClient):
    """A client whose requests see only what was committed, as in production."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        with self.application.app_context():
            return super().open(*args, **kwargs)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a throw-away PostgreSQL server."""
    with services.postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with one signing key."""
    folder = tmp_path_factory.mktemp("keys")
    signing_keys.KeyRing(folder).add()
    return str(folder)


@pytest.fixture
def new_database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database that no other test uses."""
    yield from _empty_database(database_kind, request, tmp_path)


@pytest.fixture
def bare_app(new_database_url: str, key_folder: str) -> Iterator[Flask]:
    """An application over a database without a table."""
    app = create_app(settings(new_database_url, key_folder))
    yield app
    _dispose(app)


@pytest.fixture(scope="session")
def shared_app(
    database_kind: str,
    request: pytest.FixtureRequest,
    key_folder: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """One application and one migrated database for all tests that only need an empty one."""
    for url in _empty_database(database_kind, request, tmp_path_factory.mktemp("database")):
        app = create_app(settings(url, key_folder))
        app.test_client_class = Client
        with app.app_context():
            upgrade()
        yield app
        _dispose(app)


@pytest.fixture(scope="session")
def server(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[serving.Server]:
    """The service as `make run` starts it, over a database of its own that tests share."""
    folder = tmp_path_factory.mktemp("served")
    for url in _empty_database(database_kind, request, folder):
        with serving.served(folder, serving.environment(url, folder)) as server:
            yield server


@pytest.fixture
def app(shared_app: Flask) -> Iterator[Flask]:
    """The application over an empty database."""
    empty(shared_app)
    changed = dict(shared_app.config)
    yield shared_app
    shared_app.config.clear()
    shared_app.config.update(changed)


@pytest.fixture
def make_app(shared_app: Flask, key_folder: str) -> Iterator[Callable[..., Flask]]:
    """A maker of applications with other settings over the same, emptied database: `make_app(LOG_LEVEL="DEBUG")`."""
    empty(shared_app)
    made: list[Flask] = []

    def make(**overrides: str) -> Flask:
        app = create_app(settings(shared_app.config["DATABASE_URL"], key_folder, **overrides))
        app.test_client_class = Client
        made.append(app)
        return app

    yield make
    for app in made:
        _dispose(app)


@pytest.fixture
def sink() -> Iterator[services.SmtpSink]:
    """A mail server."""
    with services.smtp_sink() as sink:
        yield sink


@pytest.fixture
def mail_app(make_app: Callable[..., Flask], sink: services.SmtpSink) -> Flask:
    """An application whose letters go to the sink when the test delivers them."""
    return make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A stranger."""
    return app.test_client()


@dataclass
class Person:
    """A signed-in caller: `person.get("/userapi/auth/user/")`."""

    client: FlaskClient
    id: int
    email: str
    password: str
    tokens: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def url(self) -> str:
        return f"/userapi/users/{self.id}/"

    def open(self, path: str, **options: Any) -> TestResponse:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.open(path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="GET", **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="POST", **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="PUT", **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="PATCH", **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, method="DELETE", **options)


def sign_in(app: Flask, email: str, password: str = PASSWORD) -> dict[str, Any]:
    """The tokens of a new session."""
    response = app.test_client().post("/api-token-auth/", json={"email": email, "password": password})
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.get_json()
    return tokens


def signs_in(app: Flask, email: str, password: str = PASSWORD) -> bool:
    """Whether somebody may sign in."""
    response = app.test_client().post("/api-token-auth/", json={"email": email, "password": password})
    return response.status_code == 200


@pytest.fixture
def person(app: Flask) -> Callable[..., Person]:
    """A maker of signed-in callers: `person(is_staff=True)`."""

    def make(**overrides: Any) -> Person:
        user_id = make_user(app, **overrides)
        with app.app_context():
            email = db.session.scalar(sa.text("SELECT email FROM users WHERE id = :id"), {"id": user_id})
        password = overrides.get("password", PASSWORD)
        return Person(app.test_client(), user_id, str(email), password, sign_in(app, str(email), password))

    return make


@pytest.fixture
def user(person: Callable[..., Person]) -> Person:
    """An ordinary user."""
    return person()


@pytest.fixture
def stranger(person: Callable[..., Person]) -> Person:
    """Another ordinary user."""
    return person()


@pytest.fixture
def staff(person: Callable[..., Person]) -> Person:
    """A member of staff who is no superuser."""
    return person(is_staff=True)


@pytest.fixture
def superuser(person: Callable[..., Person]) -> Person:
    """A superuser."""
    return person(is_staff=True, is_superuser=True)


def _empty_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/test.db"
        return
    server = sa.make_url(request.getfixturevalue("postgresql"))
    name = f"test_{os.getpid()}_{folder.name}".lower().replace("-", "_")
    engine = sa.create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    yield server.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


def empty(app: Flask) -> None:
    """Take every row out of the database of an application."""
    with app.app_context(), db.engine.begin() as connection:
        for table in reversed(Model.metadata.sorted_tables):
            if table.name != "permissions":
                connection.execute(table.delete())


def _dispose(app: Flask) -> None:
    for thread in app.extensions.get(THREADS, ()):
        thread.stop()
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()
