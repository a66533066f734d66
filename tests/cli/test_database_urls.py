"""Options in DATABASE_URL and unusual databases either work or get one line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

from tests.support import commands, http_server
from tests.support.api_client import ApiClient
from tests.support.app_config import app_config
from tests.support.databases import close_app
from tests.support.factories import new_user
from userapi.app import create_app
from userapi.core.db import AUTOCOMMIT, db

pytestmark = pytest.mark.slow

NAME = "Zoë Łukasiewicz 山田"


@pytest.fixture
def on_postgresql(postgresql: str, key_folder: str) -> Iterator[Callable[..., Flask]]:
    """Makes applications for one migrated database: `on_postgresql(options="-c work_mem=8MB")`."""
    server = sa.make_url(postgresql)
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    made: list[Flask] = []
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE connections")
        connection.exec_driver_sql("ALTER DATABASE connections SET timezone TO 'Asia/Kolkata'")

    def make_app_with_options(**query: str) -> Flask:
        url = server.set(database="connections").update_query_dict(query)
        app = create_app(app_config(url.render_as_string(hide_password=False), key_folder))
        app.test_client_class = ApiClient
        with app.app_context():
            upgrade()
        made.append(app)
        return app

    yield make_app_with_options
    for app in made:
        close_app(app)
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE connections WITH (FORCE)")
    engine.dispose()


def server_parameter(app: Flask, name: str) -> set[str]:
    """A PostgreSQL parameter, which must be the same on both engines."""
    with app.app_context():
        found = set()
        for engine in (db.engine, db.engines[AUTOCOMMIT]):
            with engine.connect() as connection:
                found.add(str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()))
    return found


def test_options_in_the_url_are_combined_with_our_own(on_postgresql: Callable[..., Flask]) -> None:
    app = on_postgresql(options="-c work_mem=8MB -c timezone=Asia/Tokyo", application_name="accounts")

    assert server_parameter(app, "work_mem") == {"8MB"}
    assert server_parameter(app, "application_name") == {"accounts"}
    assert server_parameter(app, "timezone") == {"UTC"}
    assert server_parameter(app, "statement_timeout") == {"15s"}
    assert server_parameter(on_postgresql(options="-c statement_timeout=3s"), "statement_timeout") == {"3s"}


@pytest.mark.parametrize("query", [{}, {"client_encoding": "LATIN1"}])
def test_names_and_timestamps_are_stored_correctly_whatever_the_database_settings(
    on_postgresql: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
    monkeypatch.setenv("PGTZ", "America/Caracas")
    client = on_postgresql(**query).test_client()

    created = client.post("/userapi/users/", json=new_user(first_name=NAME))

    assert created.status_code == 201, created.text
    assert created.get_json()["first_name"] == NAME
    assert created.get_json()["date_joined"].endswith("Z")


def test_commands_distinguish_a_missing_database_from_missing_tables(postgresql: str, tmp_path: Path) -> None:
    missing = sa.make_url(postgresql).set(database="people").render_as_string(hide_password=False)
    for url, words in ((missing, "createdb --encoding=UTF8 people"), (postgresql, "Run `flask db upgrade` first")):
        env = commands.environment(url, tmp_path)
        done = commands.run(*commands.FLASK, "users", "list", env=env, cwd=tmp_path)

        assert done.is_one_line, done
        assert words in done.errors


def test_a_role_without_migration_privileges_gets_the_grants_it_needs(postgresql: str, tmp_path: Path) -> None:
    engine = sa.create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE ROLE visiting LOGIN")
    try:
        url = sa.make_url(postgresql).set(username="visiting").render_as_string(hide_password=False)
        done = commands.run(*commands.FLASK, "db", "upgrade", env=commands.environment(url, tmp_path), cwd=tmp_path)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql("DROP ROLE visiting")
        engine.dispose()

    assert done.code == 1
    assert 'GRANT USAGE, CREATE ON SCHEMA public TO "visiting";' in done.errors


ODD = "my accounts, 100%25 #1 ?x=é & [a]"


def test_folders_with_unusual_names_work(tmp_path: Path) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    env = commands.environment(f"sqlite:///{quote(str(folder))}/people.db", folder)

    with http_server.run_server(folder, env) as server:
        doctor = commands.run(*commands.FLASK, "doctor", env=server.environment, cwd=folder)

    assert (folder / "people.db").exists()
    assert len(list((folder / "keys").glob("*.pem"))) == 1
    assert doctor.code == 0, doctor
    assert sorted(path.name for path in tmp_path.iterdir()) == [ODD]
