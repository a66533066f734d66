"""Names of groups at the staff site: two that differ by case only are taken for one."""

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.staff_client import StaffClient, staff_client
from userapi.core.db import db

pytestmark = pytest.mark.both


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def group_ids(app: Flask) -> dict[str, int]:
    with app.app_context():
        return {row.name: row.id for row in db.session.execute(sa.text("SELECT id, name FROM groups"))}


@pytest.mark.parametrize("name", ["Editors", "editors", " EDITORS ", "\uff25ditors"])
def test_no_group_gets_a_name_that_another_has_in_other_case(boss: StaffClient, name: str) -> None:
    for first in ("Editors", "Authors"):
        assert boss.post("/admin/groups/new/", name=first).status_code == 303
    before = group_ids(boss.app)
    authors = f"/admin/groups/{before['Authors']}/"

    made = boss.post("/admin/groups/new/", name=name)
    renamed = boss.post(authors, **{**boss.form(authors), "name": name})

    for answer in (made, renamed):
        assert answer.status_code == 400
        assert "Another group already has this name." in answer.text
    assert group_ids(boss.app) == before


def test_a_group_can_change_the_case_of_its_own_name(boss: StaffClient) -> None:
    boss.post("/admin/groups/new/", name="editors")
    path = f"/admin/groups/{group_ids(boss.app)['editors']}/"

    assert boss.post(path, **{**boss.form(path), "name": "Editors"}).status_code == 303

    assert "Editors" in group_ids(boss.app)


def test_groups_named_alike_before_can_still_be_saved(boss: StaffClient) -> None:
    boss.post("/admin/groups/new/", name="Editors")
    with boss.app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO groups (id, name) VALUES (99, 'editors')"))

    assert boss.post("/admin/groups/99/", **boss.form("/admin/groups/99/")).status_code == 303
