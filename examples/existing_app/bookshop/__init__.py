"""A bookshop: an application that had pages and tables of its own, and now has the accounts of userapi."""

import os
from collections.abc import Mapping
from pathlib import Path

from flask import Flask
from flask_migrate import Migrate

from userapi.mounting import Part, include_name, mount
from userapi.settings import load

from .models import db
from .views import register_views

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

#: The settings of the accounts in the environment: ACCOUNTS_SECRET_KEY, ACCOUNTS_SITE_URL and so on.
PREFIX = "ACCOUNTS_"


def create_app(environment: Mapping[str, str] = os.environ) -> Flask:
    """Make the bookshop.

    Args:
        environment: with DATABASE_URL and SECRET_KEY of the shop, and the settings of the accounts.
    """
    app = Flask(__name__)
    app.config["SECRET_KEY"] = environment["SECRET_KEY"]
    app.config["SQLALCHEMY_DATABASE_URI"] = environment["DATABASE_URL"]
    db.init_app(app)
    Migrate(app, db, str(MIGRATIONS), include_name=include_name)
    own = {name.removeprefix(PREFIX): value for name, value in environment.items() if name.startswith(PREFIX)}
    settings = load({"DATABASE_URL": environment["DATABASE_URL"], **own})
    register_views(app)
    mount(app, settings, parts=(Part.API, Part.PAGES))
    return app
