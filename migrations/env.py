"""How Alembic reaches the database and the models: through the application."""

from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context
from alembic.util import CommandError
from flask import current_app
from psycopg.errors import InsufficientPrivilege, LockNotAvailable

from userapi.core import database_errors, disk
from userapi.core.db import Model

migrate = current_app.extensions["migrate"]
target_metadata = Model.metadata

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
                target_metadata=target_metadata,
                transactional_ddl=True,
                **migrate.configure_args,
            )
            with context.begin_transaction():
                if not sqlite:  # where the transaction itself waits for every other writer
                    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{QUEUE_TIMEOUT}'")
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                context.run_migrations()
        except sa.exc.DBAPIError as error:
            if isinstance(error.orig, LockNotAvailable):
                raise CommandError("A table was in use for too long, so nothing was changed. Run it again.") from error
            if isinstance(error.orig, InsufficientPrivilege) or disk.is_disk_full_error(error):
                raise CommandError(database_errors.describe_database_error(error)) from error
            raise
        finally:
            if sqlite:
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


def _connect(engine: sa.Engine) -> sa.Connection:
    try:
        return engine.connect()
    except sa.exc.OperationalError as error:
        raise CommandError(database_errors.describe_database_error(error)) from error


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
run()
