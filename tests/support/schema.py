"""Comparing the schema of a database with the models."""

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from userapi.core.db import Model, db


def schema_differences() -> list[Any]:
    """The operations that Alembic would autogenerate."""
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        return list(compare_metadata(context, Model.metadata))


def table_names() -> set[str]:
    """The names of the tables in the database."""
    return set(sa.inspect(db.engine).get_table_names()) - {"alembic_version", "sqlite_sequence"}
