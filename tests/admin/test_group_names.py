"""Group names on the staff site: two names that differ only in case count as equal."""

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.staff_client import StaffClient, staff_client
from userapi.core.db import db

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def group_ids(app: Flask) -> dict[str, int]:
    with app.app_context():
        return {row.name: row.id for row in db.session.execute(sa.text("SELECT id, name FROM groups"))}


@pytest.mark.parametrize("name", ["Editors", "editors", " EDITORS ", "\uff25ditors"])
def test_group_names_are_unique_whatever_their_case(superuser: StaffClient, name: str) -> None:
    for first in ("Editors", "Authors"):
        assert superuser.post("/admin/groups/new/", name=first).status_code == 303
    before = group_ids(superuser.app)
    authors = f"/admin/groups/{before['Authors']}/"

    made = superuser.post("/admin/groups/new/", name=name)
    renamed = superuser.post(authors, **{**superuser.form(authors), "name": name})

    for response in (made, renamed):
        assert response.status_code == 400
        assert "Another group already has this name." in response.text
    assert group_ids(superuser.app) == before


def test_a_group_can_change_the_case_of_its_own_name(superuser: StaffClient) -> None:
    superuser.post("/admin/groups/new/", name="editors")
    path = f"/admin/groups/{group_ids(superuser.app)['editors']}/"

    assert superuser.post(path, **{**superuser.form(path), "name": "Editors"}).status_code == 303

    assert "Editors" in group_ids(superuser.app)


def test_existing_groups_with_similar_names_can_still_be_saved(superuser: StaffClient) -> None:
    superuser.post("/admin/groups/new/", name="Editors")
    with superuser.app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO groups (id, name) VALUES (99, 'editors')"))

    assert superuser.post("/admin/groups/99/", **superuser.form("/admin/groups/99/")).status_code == 303
