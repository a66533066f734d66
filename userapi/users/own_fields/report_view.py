"""The SQL of a view with one typed column for each field, for reports."""

from collections.abc import Iterable

from userapi.users.field_definition import Field

from .kinds import KINDS

NAME = "user_profile_fields"

#: The types of columns by `OwnKind.sql_type`.
POSTGRESQL_TYPES = {"integer": "bigint", "decimal": "numeric", "boolean": "boolean", "date": "date",
                    "timestamp": "timestamptz"}  # fmt: skip
SQLITE_TYPES = {"integer": "INTEGER", "decimal": "NUMERIC", "boolean": "INTEGER"}


def write_view(fields: Iterable[Field], dialect: str) -> str:
    """The statements that replace the view. Sensitive fields are left out.

    Args:
        fields: the declaration; their names are identifiers.
        dialect: `postgresql` or `sqlite`.
    """
    shown = [field for field in fields if not field.is_sensitive]
    column = _postgresql_column if dialect == "postgresql" else _sqlite_column
    columns = ",\n".join(
        ["  users.id AS user_id", "  users.email AS email", *(f"  {column(field)}" for field in shown)]
    )
    return (
        f"DROP VIEW IF EXISTS {NAME};\n"
        f"CREATE VIEW {NAME} AS\nSELECT\n{columns}\n"
        "FROM users\nJOIN user_profiles ON user_profiles.user_id = users.id;\n"
    )


def _postgresql_column(field: Field) -> str:
    if not field.is_own:
        return _built_in_column(field)
    sql_type = KINDS[field.kind].sql_type
    if sql_type == "json":
        return f"user_profiles.extra -> '{field.name}' AS \"{field.name}\""
    cast = f"::{POSTGRESQL_TYPES[sql_type]}" if sql_type in POSTGRESQL_TYPES else ""
    return f"(user_profiles.extra ->> '{field.name}'){cast} AS \"{field.name}\""


def _sqlite_column(field: Field) -> str:
    if not field.is_own:
        return _built_in_column(field)
    value = f"json_extract(user_profiles.extra, '$.{field.name}')"
    sql_type = SQLITE_TYPES.get(KINDS[field.kind].sql_type)
    return f'CAST({value} AS {sql_type}) AS "{field.name}"' if sql_type else f'{value} AS "{field.name}"'


def _built_in_column(field: Field) -> str:
    return f'user_profiles.{field.name} AS "{field.name}"'
