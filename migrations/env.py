"""How Alembic reaches the database and the models: through the application."""

from logging.config import fileConfig

from alembic import context
from flask import current_app

from userapi.core.db import Model

migrate = current_app.extensions["migrate"]
target_metadata = Model.metadata


def run() -> None:
    """Run the migrations in one transaction; SQLite's foreign keys rest while its tables are rebuilt."""
    engine = migrate.db.engine
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.exec_driver_sql("SET lock_timeout = '10s'")
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
                context.run_migrations()
        finally:
            if sqlite:
                connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
run()
