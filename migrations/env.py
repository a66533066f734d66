"""How Alembic reaches the database and the models: through the application."""

from logging.config import fileConfig

from alembic import context
from flask import current_app

from userapi.core.db import Model

migrate = current_app.extensions["migrate"]
target_metadata = Model.metadata

#: Any number that is not used as a lock elsewhere: who migrates waits for whoever already does.
MIGRATION_LOCK = 7_210_000


def run() -> None:
    """Run the migrations in one transaction; SQLite's foreign keys rest while its tables are rebuilt."""
    engine = migrate.db.engine
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.exec_driver_sql("SET lock_timeout = '60s'")
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.commit()
        try:
            context.configure(
                connection=connection,
                target_metadata=target_metadata,
                transactional_ddl=True,
                **migrate.configure_args,
            )
            with context.begin_transaction():
                if not sqlite:  # where the transaction itself waits for every other writer
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
                    connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
                context.run_migrations()
        finally:
            if sqlite:
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
run()
