"""The example in examples/existing_app: a Flask application with pages and tables of its own mounts the service."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bookshop
import pytest
import sqlalchemy as sa
from bookshop.models import Order, db
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import sign_in
from tests.support.databases import close_app
from tests.support.factories import PASSWORD, make_user
from userapi.mounting import MOUNTED

Run = Callable[[Flask, str], str]

EMAIL = "ada@example.com"


@pytest.fixture
def reader(shop: Flask) -> FlaskClient:
    """A browser that has signed in on the page of the service, on the way to the orders."""
    make_user(shop.extensions[MOUNTED], email=EMAIL)
    browser = shop.test_client()
    page = browser.get("/login/?next=/orders/")
    fields = dict(re.findall(r'name="?(csrf_token|next|form_id)"? value="?([^">]+)', page.text))
    response = browser.post("/login/", data={**fields, "email": EMAIL, "password": PASSWORD})
    assert (response.status_code, response.location) == (303, "/orders/"), response.text
    return browser


def count_rows(app: Flask, table: str) -> Any:
    with app.app_context():
        return db.session.scalar(sa.text(f"SELECT count(*) FROM {table}"))


@pytest.mark.both
def test_the_shop_sells_to_users_of_the_service_in_its_own_database(shop: Flask, reader: FlaskClient) -> None:
    assert "Orders of ada@example.com" in reader.get("/orders/").text
    csrf_token = reader.get_cookie("csrf_token")
    assert csrf_token is not None
    bought = reader.post("/orders/", data={"title": "Emma", "csrf_token": csrf_token.value})

    assert (bought.status_code, bought.location) == (303, "/orders/")
    assert "<li>Emma</li>" in reader.get("/orders/").text
    with shop.app_context():
        user_id = db.session.scalar(sa.select(Order.user_id))
        assert db.session.scalar(sa.text("SELECT email FROM users WHERE id = :id"), {"id": user_id}) == EMAIL


@pytest.mark.both
def test_orders_are_deleted_with_their_user(shop: Flask, reader: FlaskClient, run: Run) -> None:
    csrf_token = reader.get_cookie("csrf_token")
    assert csrf_token is not None
    reader.post("/orders/", data={"title": "Emma", "csrf_token": csrf_token.value})
    assert count_rows(shop, "orders") == 1

    run(shop, f"userapi users delete {EMAIL} --yes")

    assert count_rows(shop, "orders") == 0


@pytest.mark.both
def test_migrations_of_both_run_again_without_effect_and_see_only_their_own_tables(shop: Flask, run: Run) -> None:
    for command in ("userapi db upgrade", "db upgrade", "db check"):
        output = run(shop, command)
        assert "Running upgrade" not in output
        assert "Detected" not in output

    assert count_rows(shop, "userapi_version") == count_rows(shop, "alembic_version") == 1
    ready = shop.extensions[MOUNTED].test_client().get("/readyz")
    assert ready.status_code == 200, ready.text


def test_a_view_of_the_shop_wants_the_csrf_value_of_a_form(shop: Flask, reader: FlaskClient) -> None:
    assert reader.post("/orders/", data={"title": "Emma"}).status_code == 403
    assert count_rows(shop, "orders") == 0


def test_a_signed_out_visitor_is_sent_to_the_sign_in_page_and_back(shop: Flask) -> None:
    response = shop.test_client().get("/orders/")
    below = shop.test_client().get("/orders/?x=1&y=2", base_url="http://localhost/site")
    program = shop.test_client().get("/orders/", headers={"Authorization": "Bearer a.b.c"})

    assert (response.status_code, response.location) == (302, "/login/?next=/orders/")
    assert below.location == "/site/login/?next=/orders/%3Fx%3D1%26y%3D2"
    assert program.status_code == 401


def test_a_session_that_has_ended_opens_no_view_of_the_shop(shop: Flask, reader: FlaskClient, run: Run) -> None:
    assert "Hello" in reader.get("/").text
    run(shop, f"userapi sessions end {EMAIL}")

    assert reader.get("/orders/").status_code == 302
    assert "Hello" not in reader.get("/").text


def test_errors_are_those_of_the_application_whose_path_it_is(shop: Flask) -> None:
    visitor = shop.test_client()
    own, service = visitor.get("/nowhere/"), visitor.get("/userapi/nowhere/")

    assert (own.status_code, own.headers["X-Shop"]) == (404, "bookshop")
    assert "The shop has no such page" in own.text
    assert (service.status_code, service.mimetype) == (404, "application/problem+json")
    assert "X-Shop" not in service.headers


def test_a_new_shop_gets_its_key_and_superuser_from_commands(
    shop_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("USER_PASSWORD", PASSWORD)
    app = bookshop.create_app({**shop_environment, "ACCOUNTS_JWT_KEY_DIR": str(tmp_path / "new_keys")})
    for command in ("userapi db upgrade", "userapi keys rotate", f"userapi users create-superuser --email {EMAIL}"):
        run(app, command)

    assert sign_in(app, EMAIL)["token_type"] == "Bearer"
    close_app(app.extensions[MOUNTED])
