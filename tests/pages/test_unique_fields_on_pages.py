"""Values of unique profile fields that another user has, in forms."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.factories import PASSWORD, make_user
from tests.support.fake_provider import SETTINGS, FakeProvider
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.provider_visits import visit
from tests.support.staff_client import staff_client
from userapi.core.db import db
from userapi.federation import requests_to_providers
from userapi.users import accounts

DECLARATION = '[profile.nickname]\ntype = "line"\nunique = true\nrequired = "new"\n'

MESSAGE = "Another user already has this value."


@pytest.fixture
def app(declare: Callable[..., Flask]) -> Flask:
    """An application whose user Wren has the nickname wren."""
    app = declare(DECLARATION, **SETTINGS, EMAIL_VERIFICATION="none")
    with app.app_context():
        accounts.create("wren@example.com", PASSWORD, {"nickname": "wren"})
        accounts.create("owl@example.com", PASSWORD, {"nickname": "owl"})
        db.session.commit()
    return app


def nicknames(app: Flask) -> list[str]:
    client = staff_client(app, is_staff=True, profile=None, permissions=("view_user",))
    rows = client.client.get("/userapi/users/?format=json").get_json()["results"]
    return [row["profile"]["nickname"] for row in rows if row["profile"]]


def test_W09_the_registration_page_names_the_field(app: Flask) -> None:
    browser = FormBrowser(app)
    typed = {"email": "new@example.com", "password": PASSWORD, "profile.nickname": "WREN"}

    rejected = browser.send("/register/", typed)
    accepted = browser.send("/register/", {**typed, "profile.nickname": "finch"})

    assert rejected.status_code == 400
    assert MESSAGE in rejected.text
    assert accepted.headers["Location"] == "/account/"
    assert nicknames(app) == ["wren", "owl", "finch"]


def test_W09_the_account_page_names_the_field(app: Flask) -> None:
    browser = FormBrowser(app)
    browser.sign_in("owl@example.com")

    response = browser.send("/account/", {"profile.nickname": "Wren", "first_name": "Ada"})

    assert response.status_code == 400
    assert MESSAGE in response.text
    assert nicknames(app) == ["wren", "owl"]


def test_W09_the_registration_with_another_service_names_the_field(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = FakeProvider()
    monkeypatch.setattr(requests_to_providers.http_client, "get", acme.get)
    monkeypatch.setattr(requests_to_providers.http_client, "post_form", acme.post_form)
    browser = FormBrowser(app)
    visit(browser, acme)

    def send(nickname: str) -> tuple[int, str]:
        page = browser.get("/register/acme/")
        typed = {"email": "new@example.com", "profile.nickname": nickname, "csrf_token": hidden_value(page)}
        response = browser.post("/register/acme/", typed)
        return response.status_code, response.text

    status, text = send("wren")
    assert (status, MESSAGE in text) == (400, True)
    assert send("finch")[0] == 303
    assert nicknames(app) == ["wren", "owl", "finch"]


def test_W09_the_staff_site_names_the_field(app: Flask) -> None:
    boss = staff_client(app, is_staff=True, is_superuser=True, profile=None)
    user_id = make_user(app, profile=None)
    path = f"/admin/users/{user_id}/"

    response = boss.post(path, **{**boss.form(path), "profile.nickname": "WREN"})

    assert response.status_code == 400
    assert MESSAGE in response.text
