"""Tables created by `db.create_all()` equal those of the migrations."""

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.schema import schema_differences, table_names
from userapi.core.db import Model, db
from userapi.users import accounts, group_queries

pytestmark = pytest.mark.both


def test_create_all_creates_the_tables_on_both_databases(bare_app: Flask) -> None:
    with bare_app.app_context():
        db.create_all()

        assert table_names() == set(Model.metadata.tables)
        assert schema_differences() == []


def test_staff_have_their_permissions_in_tables_created_by_create_all(bare_app: Flask) -> None:
    with bare_app.app_context():
        db.create_all()
        user = accounts.create("helper@example.com", None, is_staff=True)
        db.session.commit()

        assert group_queries.find_permissions(user.id) == {
            "view_user",
            "add_user",
            "change_user",
            "delete_user",
        }


def test_permissions_have_the_same_names_in_both(app: Flask, bare_app: Flask) -> None:
    with bare_app.app_context():
        db.create_all()
        created = permission_names()
    with app.app_context():
        migrated = permission_names()

    assert created == migrated
    assert ("view_message", "view_email") in created


def permission_names() -> set[tuple[str, str]]:
    return {tuple(row) for row in db.session.execute(sa.text("SELECT codename, code FROM permissions"))}
