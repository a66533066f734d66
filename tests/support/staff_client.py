"""A client of the staff site: a test client with the cookies and forms of a browser."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import PASSWORD, make_user
from userapi.core.db import db
from userapi.users import groups
from userapi.users.models import User

ACCEPT_HTML = {"Accept": "text/html"}

#: A password that the policy accepts, other than the one of `make_user`.
NEW_PASSWORD = "harbour lantern 42 quiet"


@dataclass
class StaffClient:
    """A user signed in by cookie: `staff.post("/admin/users/new/", email=…)` sends what the page would."""

    app: Flask
    client: FlaskClient
    id: int
    email: str

    @property
    def csrf(self) -> str:
        cookie = self.client.get_cookie("csrf_token")
        assert cookie is not None
        return str(cookie.value)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, headers=ACCEPT_HTML | options.pop("headers", {}), **options)

    def post(self, path: str, csrf: bool = True, headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
        data = {**fields, "csrf_token": self.csrf} if csrf else fields
        return self.client.post(path, data=data, headers=ACCEPT_HTML | (headers or {}))

    def form(self, path: str) -> dict[str, Any]:
        """What the form on a page sends if no field is changed."""
        return self.fields(self.get(path).text)

    def fields(self, text: str) -> dict[str, Any]:
        """The same for the HTML of a page, without the menu of actions at the head of a user's pages."""
        text = re.sub(r'<header class="identity">.*?</header>', "", text, flags=re.DOTALL)
        fields: dict[str, Any] = {}
        for tag in re.findall(r"<input[^>]*>", text):
            if "disabled" in tag or 'type="search"' in tag:
                continue
            name, value = _attribute(tag, "name"), _attribute(tag, "value")
            if name and ('type="checkbox"' not in tag or " checked" in tag):
                fields.setdefault(name, []).append(value or "")
        fields.pop("csrf_token", None)
        return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return unescape(found[1]) if found else ""


def staff_client(app: Flask, **overrides: Any) -> StaffClient:
    """Create a user and sign in: `staff_client(app, is_staff=True)`; staff have only the given `permissions`."""
    permissions = overrides.pop("permissions", ())
    user_id = make_user(app, joins_staff_group=False, **overrides)
    if permissions:
        grant_permissions(app, user_id, *permissions)
    return sign_in_with_cookies(app, user_id)


def sign_in_with_cookies(app: Flask, user_id: int, password: str = PASSWORD) -> StaffClient:
    client = app.test_client()
    with app.app_context():
        email = str(db.session.scalar(sa.text("SELECT email FROM users WHERE id = :id"), {"id": user_id}))
    response = client.post("/userapi/auth/login/", json={"email": email, "password": password, "cookies": True})
    assert response.status_code == 200, response.text
    return StaffClient(app, client, user_id, email)


def grant_permissions(app: Flask, user_id: int, *codenames: str) -> None:
    """Give a user permissions, directly in the database."""
    with app.app_context():
        found = db.session.execute(sa.text("SELECT id, code FROM permissions")).all()
        ids = [row.id for row in found if row.code in codenames]
        assert len(ids) == len(codenames)
        user = db.session.get_one(User, user_id)
        groups.set_memberships(user, [], ids, by=FirstSuperuser())
        db.session.commit()


class FirstSuperuser:
    """An actor who may grant everything."""

    id, is_staff, is_superuser = 0, True, True


def stored_value(app: Flask, user_id: int, column: str) -> Any:
    """A column of a user."""
    with app.app_context():
        users = User.__table__
        return db.session.scalar(sa.select(users.c[column]).where(users.c.id == user_id))


def permission_id(app: Flask, codename: str) -> int:
    with app.app_context():
        found = db.session.scalar(sa.text("SELECT id FROM permissions WHERE code = :name"), {"name": codename})
        assert found is not None
        return int(found)
