"""How Alembic reaches the database and the models: through the application."""

from functools import partial
from logging.config import fileConfig
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError
from flask import current_app
from psycopg.errors import InsufficientPrivilege, LockNotAvailable

from userapi.core import database_errors, disk, migrations
from userapi.core.db import Model
from userapi.users import group_queries

migrate = current_app.extensions["migrate"]

#: Ours, which creates the table of users.
FIRST_MIGRATION = "0001"

#: Any number that is not used as a lock elsewhere: a migration waits until another one has ended.
MIGRATION_LOCK = 7_210_000


#: How long a migration waits for a table that others use, before it fails. Requests behind it wait as long.
LOCK_TIMEOUT = "3s"

#: How long it waits for another migration.
QUEUE_TIMEOUT = "60s"


def run() -> None:
    """Run the migrations in one transaction; SQLite's foreign keys rest while its tables are rebuilt.

    Raises:
        CommandError: the database cannot be reached, or a table was in use for too long. Nothing has changed.
    """
    engine = migrate.db.engine
    sqlite = engine.dialect.name == "sqlite"
    with _connect(engine) as connection:
        if sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        try:
            context.configure(
                connection=connection,
                transactional_ddl=True,
                **migrate.configure_args,
            )
            _compare_with_own_tables(context.get_context().opts)
            with context.begin_transaction():
                if not sqlite:  # where the transaction itself waits for every other writer
                    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{QUEUE_TIMEOUT}'")
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                context.run_migrations()
                _insert_permissions(connection)
        except sa.exc.DBAPIError as error:
            if isinstance(error.orig, LockNotAvailable):
                raise CommandError("A table was in use for too long, so nothing was changed. Run it again.") from error
            if isinstance(error.orig, InsufficientPrivilege) or disk.is_disk_full_error(error):
                raise CommandError(database_errors.describe_database_error(error)) from error
            raise
        finally:
            if sqlite:
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


def _insert_permissions(connection: sa.Connection) -> None:
    """Insert the permissions of extensions, once an upgrade has brought the database to the newest migrations."""
    present = context.get_context().get_current_heads()
    has_moved = "destination_rev" in context.get_context().opts
    if has_moved and not migrations.list_unknown(present) and not migrations.list_pending(present):
        group_queries.insert_permissions_of_extensions(connection)


def _compare_with_own_tables(options: dict[str, Any]) -> None:
    """Let `flask db revision --autogenerate --head shop@head` see the tables of `shop` only; without a head, ours."""
    command = options.get("revision_context")
    arguments = command.command_args if command else {}
    wanted = {str(arguments.get("head")).partition("@")[0], arguments.get("branch_label")}
    branches = migrations.get_branches()
    selected = next((branch for name, branch in branches.items() if name in wanted), None)
    is_ours = options.get("include_name")

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        if kind != "table":
            return is_ours is None or bool(is_ours(name, kind, parents))
        owner = next((branch for branch in branches.values() if branch.has_table(str(name))), None)
        return owner is selected and (owner is not None or is_ours is None or bool(is_ours(name, kind, parents)))

    options["target_metadata"] = selected.metadata if selected else Model.metadata
    options["include_name"] = include_name
    if selected:
        options["include_object"] = partial(_is_table_of, selected)
        options["process_revision_directives"] = _require_users


def _is_table_of(branch: migrations.Branch, item: Any, name: str | None, kind: str, *_others: Any) -> bool:
    """Whether to compare something: no table of the metadata but the extension's, which also has our table of users."""
    return kind != "table" or branch.has_table(str(name))


def _require_users(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Let the first migration of an extension run after the one that creates the table of users."""
    for directive in directives:
        if directive.head == "base" and not directive.depends_on:
            directive.depends_on = FIRST_MIGRATION


def _connect(engine: sa.Engine) -> sa.Connection:
    try:
        return engine.connect()
    except sa.exc.OperationalError as error:
        raise CommandError(database_errors.describe_database_error(error)) from error


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
run()
