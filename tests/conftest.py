"""The fixtures that most tests use: applications, databases, and callers."""

import gc
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache

from tests.support import commands, http_server, servers
from tests.support.api_client import ApiUser, sign_in
from tests.support.app_config import app_config
from tests.support.databases import DATABASES, close_app, create_database, delete_all_rows
from tests.support.factories import PASSWORD, make_user
from tests.support.own_database import app_maker, migrated_app
from userapi.app import create_app
from userapi.core.db import db
from userapi.http.application import Application
from userapi.security import signing_keys

pytest_plugins = [
    "tests.support.coverage_control",
    "tests.support.browser",
    "tests.support.api_screens",
    "tests.support.app_stack",
    "tests.support.available_stack",
    "tests.support.product_pages",
    "tests.support.two_workers",
    "tests.support.typescript_client",
]


# Started in the background, as by nohup, we ignore Ctrl-C, and so would the servers that tests stop with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class CompiledTemplates(BytecodeCache):
    """Compiled templates that all applications of this process share; each would compile its own."""

    def __init__(self) -> None:
        self.bytecode: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bytecode := self.bytecode.get(bucket.key):
            bucket.bytecode_from_string(bytecode)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.bytecode[bucket.key] = bucket.bytecode_to_string()


Application.jinja_options = {"bytecode_cache": CompiledTemplates()}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=(*DATABASES, "both", "marked"),
        default="marked",
        help="where tests that use a database run; by default on SQLite, and those marked `both` on PostgreSQL too",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, which would visit each of the thousands of tests over and over."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", databases_for(metafunc), scope="session")


def databases_for(metafunc: pytest.Metafunc) -> tuple[str, ...]:
    """The databases that a test runs on."""
    wanted = metafunc.config.getoption("--database")
    if wanted == "marked":
        wanted = "both" if metafunc.definition.get_closest_marker("both") else "sqlite"
    return DATABASES if wanted == "both" else (wanted,)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a throw-away PostgreSQL server."""
    with servers.postgresql() as url:
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
    yield from create_database(database_kind, request, tmp_path)


@pytest.fixture
def bare_app(new_database_url: str, key_folder: str) -> Iterator[Flask]:
    """An application over a database without a table."""
    app = create_app(app_config(new_database_url, key_folder))
    yield app
    close_app(app)


@pytest.fixture(scope="session")
def shared_app(
    database_kind: str,
    request: pytest.FixtureRequest,
    key_folder: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Flask]:
    """One application and one migrated database for all tests that only need an empty one."""
    for url in create_database(database_kind, request, tmp_path_factory.mktemp("database")):
        with migrated_app(url, key_folder) as app:
            yield app


@pytest.fixture(scope="session")
def server(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[http_server.Server]:
    """The service as `make run` starts it, over a database of its own that tests share."""
    folder = tmp_path_factory.mktemp("served")
    for url in create_database(database_kind, request, folder):
        with http_server.run_server(folder, commands.environment(url, folder)) as server:
            yield server


@pytest.fixture
def app(shared_app: Flask) -> Iterator[Flask]:
    """The application over an empty database."""
    delete_all_rows(shared_app)
    changed = dict(shared_app.config)
    yield shared_app
    shared_app.config.clear()
    shared_app.config.update(changed)


@pytest.fixture
def make_app(shared_app: Flask, key_folder: str) -> Iterator[Callable[..., Flask]]:
    """A maker of applications with other settings over the same, emptied database: `make_app(LOG_LEVEL="DEBUG")`."""
    delete_all_rows(shared_app)
    with app_maker(shared_app.config["DATABASE_URL"], key_folder) as make:
        yield make


@pytest.fixture
def declare(make_app: Callable[..., Flask], tmp_path: Path) -> Callable[..., Flask]:
    """A maker of applications whose profile fields a TOML text declares: `declare(text, LOG_LEVEL="DEBUG")`."""

    def make(declaration: str, **overrides: str) -> Flask:
        file = tmp_path / "fields.toml"
        file.write_text(declaration, encoding="utf-8")
        return make_app(**{"PROFILE_FIELDS": str(file), **overrides})

    return make


@pytest.fixture
def sink() -> Iterator[servers.SmtpSink]:
    """A mail server."""
    with servers.smtp_sink() as sink:
        yield sink


@pytest.fixture
def mail_app(make_app: Callable[..., Flask], sink: servers.SmtpSink) -> Flask:
    """An application whose emails go to the sink when the test delivers them."""
    return make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """An anonymous client."""
    return app.test_client()


@pytest.fixture
def make_api_user(app: Flask) -> Callable[..., ApiUser]:
    """Makes signed-in users: `make_api_user(is_staff=True)`."""

    def make(**overrides: Any) -> ApiUser:
        user_id = make_user(app, **overrides)
        with app.app_context():
            email = db.session.scalar(sa.text("SELECT email FROM users WHERE id = :id"), {"id": user_id})
        password = overrides.get("password", PASSWORD)
        return ApiUser(app.test_client(), user_id, str(email), password, sign_in(app, str(email), password))

    return make


@pytest.fixture
def user(make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """An ordinary user."""
    return make_api_user()


@pytest.fixture
def other_user(make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """Another ordinary user."""
    return make_api_user()


@pytest.fixture
def staff(make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """A member of staff who is no superuser."""
    return make_api_user(is_staff=True)


@pytest.fixture
def superuser(make_api_user: Callable[..., ApiUser]) -> ApiUser:
    """A superuser."""
    return make_api_user(is_staff=True, is_superuser=True)
