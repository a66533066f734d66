"""The migrations create exactly the models, can be undone, and keep the data."""

from typing import Any

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask, current_app
from flask_migrate import downgrade, upgrade

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import make_user
from tests.support.schema import schema_differences, table_names
from userapi.core import migrations
from userapi.core.db import Model, db
from userapi.core.folders import MIGRATIONS

pytestmark = [pytest.mark.both, pytest.mark.unmeasured]


def rows() -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    look, present = (
        sa.inspect(db.engine),
        [table for table in Model.metadata.sorted_tables if table.name in table_names()],
    )
    columns = {table: [table.c[column["name"]] for column in look.get_columns(table.name)] for table in present}
    with db.engine.connect() as connection:
        return {
            table.name: sorted(map(dict, connection.execute(sa.select(*columns[table])).mappings()), key=repr)
            for table in present
        }


def narrowed(wide: list[dict[str, Any]], narrow: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without the columns that an older revision lacks."""
    return sorted(({name: row[name] for name in row if name in narrow[0]} for row in wide), key=repr)


def test_U01_an_upgrade_from_empty_creates_the_models(bare_app: Flask) -> None:
    with bare_app.app_context():
        upgrade()

        assert schema_differences() == []
        assert table_names() == set(Model.metadata.tables)


def test_the_comparison_detects_a_difference(bare_app: Flask) -> None:
    with bare_app.app_context():
        upgrade()
        with db.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE users ADD COLUMN surplus INTEGER"))
            connection.execute(sa.text("DROP INDEX ix_users_last_login"))

        assert len(schema_differences()) == 2


def test_U02_migrations_can_be_undone_and_repeated(bare_app: Flask) -> None:
    with bare_app.app_context():
        upgrade()
        downgrade(revision="base")
        assert table_names() == set()

        upgrade()

        assert schema_differences() == []


@pytest.mark.parametrize("revision", ["-1", "0001"], ids=["the one before", "the first"])
def test_U02_accounts_survive_a_downgrade_and_an_upgrade(bare_app: Flask, revision: str) -> None:
    with bare_app.app_context():
        upgrade()
    user_id = make_user(bare_app, username="ada", first_name="Σοφία")
    bare = make_user(bare_app, profile=None, is_staff=True)
    with bare_app.app_context():
        email = db.session.scalar(sa.text("SELECT email FROM users WHERE id = :id"), {"id": user_id})
    sign_in(bare_app, str(email))
    with bare_app.app_context():
        before = rows()
        assert before["users"]
        assert before["login_sessions"]
        db.session.remove()

        downgrade(revision=revision)
        kept = {name: stored for name, stored in rows().items() if stored}
        upgrade()

        after = rows()
        for name in ("users", "user_profiles", "login_sessions", "audit_events"):
            assert narrowed(after[name], kept[name]) == narrowed(before[name], kept[name]) == kept[name], name
        for found in (before, after):  # a later revision may add some
            found["permissions"] = narrowed(found["permissions"], kept["permissions"])
            assert [row for row in found["permissions"] if row in kept["permissions"]] == kept["permissions"]
    assert make_user(bare_app) > bare


def test_U01_an_upgrade_of_a_current_database_changes_nothing(bare_app: Flask) -> None:
    with bare_app.app_context():
        upgrade()
        before = rows()

        upgrade()

        assert rows() == before


def test_the_newest_file_is_the_newest_migration(bare_app: Flask) -> None:
    with bare_app.app_context():
        assert [*migrations.get_newest_known_revisions()] == ScriptDirectory(str(MIGRATIONS)).get_heads()


def test_every_revision_can_be_undone(bare_app: Flask) -> None:
    with bare_app.app_context():
        config = current_app.extensions["migrate"].migrate.get_config()
        alembic.command.upgrade(config, "head")
        heads = 0
        while table_names():
            alembic.command.downgrade(config, "-1")
            alembic.command.upgrade(config, "+1")
            alembic.command.downgrade(config, "-1")
            heads += 1

        assert heads >= 2


def test_both_databases_enforce_foreign_keys(app: Flask, user: ApiUser) -> None:
    with app.app_context(), pytest.raises(sa.exc.IntegrityError):
        db.session.execute(sa.text("INSERT INTO user_groups (user_id, group_id) VALUES (:id, 999999)"), {"id": user.id})
