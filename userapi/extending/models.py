"""Tables of extensions, in a metadata of their own, so that each has its own migrations."""

from typing import Any

import sqlalchemy as sa

from userapi.core.db import Base, RowId
from userapi.core.environment import ConfigurationError

USERS = "users"


def make_metadata() -> sa.MetaData:
    """The metadata for the models of an extension, whose tables are `NAME_…`.

    Foreign keys may lead to each other and to `users.id`, then with `ondelete`. Use it as

        class Base(DeclarativeBase):
            metadata = make_metadata()
    """
    metadata = sa.MetaData(naming_convention=Base.metadata.naming_convention)
    sa.Table(USERS, metadata, sa.Column("id", RowId, primary_key=True), info={"is_ours": True})
    return metadata


def own_tables(metadata: sa.MetaData) -> list[sa.Table]:
    """The tables of an extension, without the one of users that its foreign keys lead to."""
    return [table for table in metadata.tables.values() if not table.info.get("is_ours")]


def check_tables(name: str, metadata: sa.MetaData) -> None:
    """Check the names of the tables, and where their foreign keys lead.

    Raises:
        ConfigurationError: naming the table.
    """
    own = own_tables(metadata)
    names = {table.name for table in own}
    for table in own:
        if not table.name.startswith(f"{name}_"):
            raise ConfigurationError(f"table {table.name}: Its name must begin with {name}_.")
        for key in table.foreign_keys:
            target: Any = key.target_fullname.partition(".")[0]
            if target == USERS and not key.ondelete:
                raise ConfigurationError(
                    f"table {table.name}: The foreign key {key.parent.name} to users needs ondelete, such as CASCADE."
                )
            if target not in (USERS, *names):
                raise ConfigurationError(
                    f"table {table.name}: The foreign key {key.parent.name} must lead to users or to {name}_…"
                )


def keep_ids_unique(metadata: sa.MetaData) -> None:
    """Let SQLite use no id again, as PostgreSQL does: the audit log and tokens name rows that were deleted.

    Migrations that are generated say so too.
    """
    for table in own_tables(metadata):
        if table.autoincrement_column is not None and len(table.primary_key.columns) == 1:
            table.dialect_options["sqlite"]["autoincrement"] = True
