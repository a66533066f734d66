"""A row about a user in every table that names users, with a text of its own in every column that takes one."""

import itertools
import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from flask import Flask

from userapi.core import clock
from userapi.core.db import Model, UTCDateTime, db

#: Columns of other tables with IDs of users, which are no foreign keys.
NAMING_USERS = ("user_id", "actor_id", "maker_id", "inviter_id", "impersonator_id", "accepted_by")

Marks = dict[tuple[str, str], str]


def list_tables_naming_users() -> dict[str, list[str]]:
    """The tables that name users, with the columns that do."""
    found: dict[str, list[str]] = {"users": ["id"]}
    for table in Model.metadata.sorted_tables:
        columns = [column.name for column in table.c if names_users(column)]
        if columns:
            found[table.name] = columns
    return found


def names_users(column: sa.Column[Any]) -> bool:
    is_reference = any(key.column.table.name == "users" for key in column.foreign_keys)
    return is_reference or (column.name in NAMING_USERS and isinstance(column.type, sa.BigInteger | sa.Integer))


def fill_tables(
    app: Flask, user_id: int, prefix: str, left_out: Collection[str] = (), existing: Mapping[str, Any] | None = None
) -> Marks:
    """Write the rows.

    Args:
        app: the application.
        user_id: whom they are about; the user exists and has a profile.
        prefix: what each text begins with, of at most six characters.
        left_out: tables without a row.
        existing: keys of rows that others refer to, by table.

    Returns:
        The texts by table and column, as far as they are unmistakable.
    """
    marks: Marks = {}
    texts = (f"{prefix}{number:03}" for number in itertools.count())
    keys: dict[str, Any] = dict(existing or {})
    with app.app_context():
        for table in Model.metadata.sorted_tables:
            if table.name in left_out:
                continue
            if table.name in ("users", "user_profiles"):
                _write_user(table, user_id, marks, texts)
            elif table.name == "groups" or table.name in list_tables_naming_users():
                _write_row(table, user_id, marks, texts, keys)
        db.session.commit()
    return marks


def _write_user(table: Any, user_id: int, marks: Marks, texts: Iterator[str]) -> None:
    values = {
        column.name: _mark(column, marks, texts)
        for column in table.c
        if isinstance(column.type, sa.String | sa.JSON) and column.name not in ("kind", "password_hash", "held_reason")
    }
    key = table.c.id if "id" in table.c else table.c.user_id
    db.session.execute(sa.update(table).where(key == user_id).values(values))


def _write_row(table: Any, user_id: int, marks: Marks, texts: Iterator[str], keys: dict[str, Any]) -> None:
    values: dict[str, Any] = {}
    for column in table.c:
        (referenced, *_) = [*(key.column.table.name for key in column.foreign_keys), None]
        if names_users(column):
            values[column.name] = user_id
        elif referenced == "permissions":
            values[column.name] = db.session.scalar(sa.text("SELECT min(id) FROM permissions"))
        elif referenced:
            values[column.name] = keys.get(referenced)
            if values[column.name] is None and not column.nullable:
                return
        elif column.name == "target_kind":
            values[column.name] = "user"
        elif column.name == "target_id":
            values[column.name] = str(user_id)
        elif not (column.primary_key and isinstance(column.type, sa.BigInteger | sa.Integer)):
            values[column.name] = _mark(column, marks, texts)
    key = db.session.execute(sa.insert(table).values(values)).inserted_primary_key
    keys[table.name] = key[0]


def _mark(column: Any, marks: Marks, texts: Iterator[str]) -> Any:
    """A value for a column; a text is noted in `marks`."""
    kind, moment = column.type, clock.now()
    if isinstance(kind, sa.String | sa.JSON | sa.LargeBinary):
        text = next(texts)
        if isinstance(kind, sa.String) and kind.length and kind.length < len(text):
            return text[: kind.length]
        marks[column.table.name, column.name] = text
        if isinstance(kind, sa.JSON):
            return {"first_name": [text, text]}
        return text.encode() if isinstance(kind, sa.LargeBinary) else text
    others: dict[type, Any] = {
        UTCDateTime: moment, sa.Date: date.today(), datetime: moment, sa.Boolean: False, sa.Uuid: uuid.uuid4(),
    }  # fmt: skip
    return next((value for type_, value in others.items() if isinstance(kind, type_)), None if column.nullable else 1)
