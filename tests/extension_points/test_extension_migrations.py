"""The tables of an extension come and go by its own migrations, beside those of the service."""

import dataclasses
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import shop
import sqlalchemy as sa
from flask import Flask
from flask_migrate import downgrade, upgrade

import config
from tests.support.app_config import app_config
from tests.support.databases import close_app
from tests.support.factories import make_user
from tests.support.schema import table_names
from userapi.app import create_app
from userapi.core.db import db
from userapi.health import checks


@pytest.fixture
def shop_folder(tmp_path: Path) -> Path:
    """A copy of the migrations of the shop."""
    return shutil.copytree(shop.HERE / "migrations", tmp_path / "migrations")


@pytest.fixture
def bare_shop(new_database_url: str, key_folder: str, shop_folder: Path) -> Iterator[Flask]:
    """The service with the shop over a database without a table."""
    extension = dataclasses.replace(shop.extension, migrations=shop_folder)
    app = create_app(app_config(new_database_url, key_folder), extensions=[extension])
    yield app
    close_app(app)


def stored_items(app: Flask) -> list[int]:
    with app.app_context():
        return list(db.session.scalars(sa.select(shop.models.Basket.items)))


def use_ids() -> list[int]:
    """The ids of two orders, the first of which is deleted before the second is made."""
    ids = []
    for _number in range(2):
        db.session.execute(sa.delete(shop.models.Order))
        db.session.add(order := shop.models.Order(customer=1, items=1))
        db.session.flush()
        ids.append(order.id)
        db.session.commit()
    return ids


def permissions_of_shop(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(sa.text("SELECT code FROM permissions WHERE code LIKE '%basket' ORDER BY code")))


@pytest.mark.both
def test_W31_an_extension_can_be_upgraded_and_downgraded_alone(bare_shop: Flask) -> None:
    with bare_shop.app_context():
        upgrade(revision="heads")
    user_id = make_user(bare_shop)
    with bare_shop.app_context():
        shop.baskets.add(user_id, 3)
        db.session.commit()
        before = table_names()

        downgrade(revision="0020")
        kept = stored_items(bare_shop)
        upgrade(revision="heads")
        kept_after = stored_items(bare_shop)
        db.session.remove()
        downgrade(revision="shop@base")
        without = table_names()
        upgrade(revision="heads")

        assert (kept, kept_after, stored_items(bare_shop)) == ([3], [3], [])
        assert before - without == {"shop_baskets", "shop_orders"}
        assert table_names() == before
        assert db.session.scalar(sa.text("SELECT count(*) FROM users")) == 1
    assert permissions_of_shop(bare_shop) == ["add_basket", "change_basket", "delete_basket", "view_basket"]


def test_W31_the_service_is_not_ready_before_the_migrations_of_an_extension(bare_shop: Flask, key_folder: str) -> None:
    with bare_shop.app_context():
        upgrade(revision="0001")
        upgrade(revision="shop@head")
        ahead = [finding.text for finding in checks.run() if finding.part == "migrations"]
        upgrade(revision="heads")
        current = bare_shop.test_client().get("/readyz").get_json()
        downgrade(revision="shop@base")
        behind = [finding.text for finding in checks.run() if finding.part == "migrations"]
        upgrade(revision="heads")
    alone = create_app(app_config(bare_shop.config["DATABASE_URL"], key_folder))
    without = alone.test_client().get("/readyz")
    with alone.app_context():
        unknown = [finding.text for finding in checks.run() if finding.part == "migrations"]
    close_app(alone)

    assert ahead[0].startswith("pending: 0002 to ")
    assert current["checks"]["migrations"] == "ok"
    assert behind[0].startswith("pending: shop_0001. Run `flask db upgrade heads` once")
    assert (without.status_code, without.get_json()["checks"]["migrations"]) == (503, "pending")
    assert unknown[0].startswith("at shop_0001, which this version does not know")


@pytest.mark.parametrize(
    ("head", "column"), [("shop@head", "surplus_of_shop"), ("", "surplus_of_users")], ids=["of the shop", "ours"]
)
def test_W31_new_migrations_have_the_tables_of_one_branch(
    bare_shop: Flask, shop_folder: Path, head: str, column: str
) -> None:
    with bare_shop.app_context():
        upgrade(revision="heads")
        ours = str(db.session.scalar(sa.text("SELECT max(version_num) FROM alembic_version WHERE version_num < 'a'")))
        for table in ("shop_baskets", "users"):
            db.session.execute(sa.text(f"ALTER TABLE {table} ADD COLUMN surplus_of_{table.partition('_')[0]} INTEGER"))
        db.session.commit()

    arguments = ["db", "revision", "--autogenerate", "-m", "more", "--head", head or ours]
    arguments += [] if head else ["--version-path", str(shop_folder)]
    done = bare_shop.test_cli_runner().invoke(args=arguments)

    (written,) = set(shop_folder.glob("*_more.py"))
    assert done.exit_code == 0, done.output
    assert set(re.findall(r"surplus_of_\w+|create_table|drop_table", written.read_text())) == {column}


def test_W31_the_first_migration_is_written_as_documented_and_creates_only_the_tables_of_the_extension(
    new_database_url: str, key_folder: str, tmp_path: Path
) -> None:
    """With the command of the page, in a service that has no migration of the extension yet."""
    page = (config.ROOT / "docs/extending.md").read_text()
    command = re.search(r"^ +flask (db revision .* --head base .*)$", page, re.MULTILINE)
    extension = dataclasses.replace(shop.extension, migrations=tmp_path)
    app = create_app(app_config(new_database_url, key_folder), extensions=[extension])
    with app.app_context():
        upgrade(revision="heads")

    assert command
    arguments = shlex.split(command[1].replace("PATH/shop/migrations", str(tmp_path)))
    done = app.test_cli_runner().invoke(args=arguments)

    close_app(app)
    assert done.exit_code == 0, done.output
    (written,) = tmp_path.glob("shop_0001_*.py")
    assert set(re.findall(r"op\.\w+_table\(['\"](\w+)", written.read_text())) == {"shop_baskets", "shop_orders"}
    again = create_app(app_config(f"sqlite:///{tmp_path}/other.db", key_folder), extensions=[extension])
    with again.app_context():
        upgrade(revision="shop@head")
        assert {"users", "shop_baskets", "shop_orders"} <= table_names()
        assert use_ids() == [1, 2], "ids of deleted rows are not used again"
        downgrade(revision="shop@base")
        assert table_names() & {"users", "shop_baskets"} == {"users"}
    close_app(again)
