"""Comparing the schema of a database with the models."""

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from userapi.core.db import Model, db
from userapi.users import search_index


def schema_differences() -> list[Any]:
    """The operations that Alembic would autogenerate."""
    options = {"compare_type": True, "render_as_batch": True, "include_name": search_index.include_name}
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Model.metadata))


def table_names() -> set[str]:
    """The names of the tables in the database."""
    found = set(sa.inspect(db.engine).get_table_names()) - {"alembic_version", "sqlite_sequence"}
    return {name for name in found if search_index.include_name(name, "table", {})}
