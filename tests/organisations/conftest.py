"""The service with the extension of examples/organisations."""

from collections.abc import Callable, Iterator

import organisations
import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade
from organisations.models import Base

from tests.support.api_client import ApiClient, ApiUser
from tests.support.app_config import app_config
from tests.support.databases import close_app, create_database, delete_all_rows
from userapi.app import create_app
from userapi.core.db import db

Found = Callable[[ApiUser], int]
Invite = Callable[..., str]


@pytest.fixture(scope="session")
def shared_organisations(
    database_kind: str, request: pytest.FixtureRequest, key_folder: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """One application with organisations, over a database that has their tables."""
    for url in create_database(database_kind, request, tmp_path_factory.mktemp("organisations")):
        app = create_app(app_config(url, key_folder), extensions=[organisations.extension])
        app.test_client_class = ApiClient
        with app.app_context():
            upgrade(revision="heads")
        yield app
        close_app(app)


@pytest.fixture
def app(shared_organisations: Flask) -> Flask:
    """The application over a database without users and organisations."""
    delete_all_rows(shared_organisations)
    with shared_organisations.app_context(), db.engine.begin() as connection:
        for table in ("invitations", "memberships", "organisations"):
            connection.execute(Base.metadata.tables[f"organisations_{table}"].delete())
    return shared_organisations


@pytest.fixture
def found() -> Found:
    """Creates an organisation: `found(user)` returns its id."""

    def create(owner: ApiUser, name: str = "Example Ltd") -> int:
        response = owner.post("/userapi/organisations/", json={"name": name})
        assert response.status_code == 201, response.text
        return int(response.get_json()["id"])

    return create


@pytest.fixture
def invite(app: Flask) -> Invite:
    """Invites someone: `invite(user, organisation_id, "ada@example.com")` returns the token in the email."""

    def send(by: ApiUser, organisation_id: int, email: str, role: str = "member") -> str:
        response = by.post(
            f"/userapi/organisations/{organisation_id}/invitations/", json={"email": email, "role": role}
        )
        assert response.status_code == 201, response.text
        with app.app_context():
            sent = db.session.execute(
                sa.text("SELECT recipient, secret, text FROM messages ORDER BY id DESC LIMIT 1")
            ).one()
        assert sent.recipient.lower() == email.lower()
        assert f"/organisations/invitations/{sent.secret}/" in sent.text
        return str(sent.secret)

    return send


@pytest.fixture
def join(invite: Invite) -> Callable[..., None]:
    """Makes a user a member: `join(owner, organisation_id, user, role="admin")`."""

    def accept(owner: ApiUser, organisation_id: int, user: ApiUser, role: str = "member") -> None:
        token = invite(owner, organisation_id, user.email, role)
        response = user.post("/userapi/organisations/invitations/accept/", json={"token": token})
        assert (response.status_code, response.get_json()["role"]) == (200, role)

    return accept
