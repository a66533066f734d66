"""Reading and changing the database directly."""

from typing import Any

import sqlalchemy as sa
from flask import Flask

from userapi.core.db import db


def fetch_rows(app: Flask, statement: str) -> list[Any]:
    """The rows of a SELECT."""
    with app.app_context():
        return list(db.session.execute(sa.text(statement)))


def execute_sql(app: Flask, statement: str, **values: Any) -> None:
    """Change rows, and commit."""
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text(statement), values)


def fetch_number(app: Flask, statement: str) -> int:
    """The one number that a SELECT finds."""
    return int(fetch_rows(app, statement)[0][0])
