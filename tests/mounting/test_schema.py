"""The tables of the service in a schema of their own, beside tables of the same names."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.mounting.conftest import run_command
from tests.support.api_client import sign_in
from tests.support.app_config import app_config
from tests.support.databases import close_app, create_database
from tests.support.factories import make_user
from userapi.core.db import db
from userapi.mounting import mount


def test_a_database_with_other_users_can_have_the_service_in_a_schema(
    request: pytest.FixtureRequest, key_folder: str, tmp_path: Path
) -> None:
    for url in create_database("postgresql", request, tmp_path):
        separator = "&" if "?" in url else "?"
        host = Flask("host")
        ours = mount(host, app_config(f"{url}{separator}options=-csearch_path%3Daccounts", key_folder))
        with ours.app_context(), db.engine.begin() as connection:
            connection.execute(sa.text("CREATE SCHEMA accounts"))
            connection.execute(sa.text("CREATE TABLE public.users (login text)"))

        run_command(host, "userapi db upgrade")
        make_user(ours, email="ada@example.com")

        assert sign_in(host, "ada@example.com")["token_type"] == "Bearer"
        assert ours.test_client().get("/readyz").status_code == 200
        with ours.app_context(), db.engine.begin() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM public.users")) == 0
        close_app(ours)
