"""Checks before a start, so that `make run` creates no file, table or account if the server cannot start."""

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from userapi.core import database_errors, extension_paths, private_files
from userapi.core.db import build_engine_arguments
from userapi.core.environment import path_exists
from userapi.security.key_folder import KeyFolderError
from userapi.security.signing_keys import KeyRing

from .failures import CannotStart

#: PostgreSQL's names for UTC.
UTC = frozenset({"UTC", "ETC/UTC", "UCT", "ETC/UCT", "ZULU", "ETC/ZULU", "UNIVERSAL", "ETC/UNIVERSAL"})


def check(settings: Mapping[str, Any]) -> None:
    """Check the extensions, the key folder and the database without changing them.

    Raises:
        CannotStart: with one line that names the setting.
        ConfigurationError: an extension cannot be loaded, or one of the others is in a folder that this user cannot
            open.
    """
    extension_paths.load_all(settings["EXTENSIONS"])
    instance = Path(settings["USERAPI_INSTANCE"])
    if os.path.lexists(instance):
        _refuse_unless_folder("USERAPI_INSTANCE", instance)
    _check_keys(Path(settings["JWT_KEY_DIR"]))
    url, options = build_engine_arguments(settings, instance)
    if url.get_backend_name() == "sqlite":
        _check_sqlite(Path(str(url.database)), instance)
    else:
        _check_postgresql(settings, url, options)


def refuse_exposed(path: Path) -> None:
    """Reject a secret that every user of this machine can read or write."""
    if path.exists() and private_files.is_accessible_to_all(path):
        raise CannotStart(private_files.describe_exposure(path))


def _check_keys(folder: Path) -> None:
    try:
        is_there = path_exists(folder, "JWT_KEY_DIR")
        if is_there:
            _refuse_unless_folder("JWT_KEY_DIR", folder)
            KeyRing(folder).all()
            for path in folder.glob("*.pem"):
                refuse_exposed(path)
    except KeyFolderError as problem:
        raise CannotStart(str(problem)) from problem
    except OSError as error:
        raise CannotStart(f"JWT_KEY_DIR: Cannot read {folder}: {error.strerror}.") from error
    if not is_there:
        _refuse_unless_creatable("JWT_KEY_DIR", folder)


def _check_sqlite(path: Path, instance: Path) -> None:
    if not path_exists(path, "DATABASE_URL"):
        if path.parent != instance:
            if not path.parent.is_dir():
                raise CannotStart(
                    f"DATABASE_URL: The folder {path.parent} does not exist. Create it, or correct the path."
                )
            _refuse_unless_creatable("DATABASE_URL", path)
        return
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)
        try:
            connection.execute("PRAGMA schema_version")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise CannotStart(f"DATABASE_URL: {path}: {error}. {database_errors.find_hint(str(error))}") from error
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise CannotStart(f"DATABASE_URL: This user cannot write to {path} or its folder.")


def _refuse_unless_creatable(setting: str, path: Path) -> None:
    """Reject a path that cannot be created because an existing part is not a folder or cannot be written."""
    parent = next(each for each in path.absolute().parents if os.path.lexists(each))
    _refuse_unless_folder(setting, parent)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise CannotStart(f"{setting}: This user cannot write to {parent}.")


def _refuse_unless_folder(setting: str, path: Path) -> None:
    if not path.is_dir():
        raise CannotStart(f"{setting}: {path} is not a folder.")


def _check_postgresql(settings: Mapping[str, Any], url: sa.URL, options: dict[str, Any]) -> None:
    engine = sa.create_engine(url, **options)
    try:
        with engine.connect() as connection:
            problem = postgresql_problem(settings, connection)
    except sa.exc.SQLAlchemyError as error:
        raise CannotStart(database_errors.describe_database_error(error, settings["DATABASE_URL"])) from error
    finally:
        engine.dispose()
    if problem:
        raise CannotStart(problem)


def postgresql_problem(settings: Mapping[str, Any], connection: sa.Connection) -> str | None:
    """The reason why the service cannot work with a reachable PostgreSQL database; None if it can."""
    url = connection.engine.url
    found = connection.execute(
        sa.text(
            "SELECT current_setting('server_encoding') AS encoding, current_setting('timezone') AS timezone,"
            " has_schema_privilege(current_schema(), 'CREATE') AS may_create,"
            " to_regclass(:version_table) IS NOT NULL AS has_tables"
        ),
        {"version_table": settings["VERSION_TABLE"]},
    ).one()
    if found.encoding != "UTF8":
        return (
            f"DATABASE_URL: The database {url.database} has the encoding {found.encoding}, which cannot store every "
            f"name. Create a UTF-8 database: createdb --encoding=UTF8 --template=template0 {url.database}_utf8"
        )
    if found.timezone.upper() not in UTC:
        role = url.username or "the user"
        return (
            f"DATABASE_POOLER: Connections have the time zone {found.timezone}, not UTC. Behind a pooler, set it "
            f"for the role: ALTER ROLE \"{role}\" SET timezone TO 'UTC';"
        )
    if not found.may_create and not found.has_tables:
        return database_errors.add_hint("permission denied for schema public", settings["DATABASE_URL"])
    return None
