"""The application factory: the table of contents."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from userapi import admin, browse, cli
from userapi.audit import trail
from userapi.auth import gate, tokens
from userapi.auth import routes as auth
from userapi.auth import token_routes as auth_tokens
from userapi.auth.field_descriptions import DESCRIPTIONS
from userapi.bulk import working as bulk
from userapi.core import (
    api_document,
    assets,
    bodies,
    cross_origin,
    db,
    folders,
    hashing,
    headers,
    i18n,
    limits,
    logging,
    metrics,
    openapi,
    problems,
    proxies,
    rendering,
    requests,
    signing,
    tracing,
)
from userapi.core.application import Application
from userapi.core.extensions import migrate
from userapi.mail import deliverer, outbox, relay
from userapi.ops import routes as ops
from userapi.pages import routes as pages
from userapi.users import routes as users
from userapi.users.transfer import working as imports


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Make the application.

    Args:
        settings: what `userapi.settings.load` gives.
    """
    app = Application(__name__, instance_path=settings["USERAPI_INSTANCE"])
    app.config.from_mapping(settings)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    for part in (metrics, logging, proxies, requests, i18n, rendering, db, signing, hashing, headers, cross_origin):
        part.configure(app)
    for part in (problems, bodies, tracing, trail, tokens, gate, assets, limits, outbox, relay):
        part.configure(app)
    for part in (deliverer, imports, bulk):
        part.configure(app)
    migrate.init_app(app, db.db, str(folders.MIGRATIONS), render_item=db.render_item)

    openapi.configure(app)
    api = api_document.configure(app, DESCRIPTIONS)
    api.register_blueprint(ops.index_blueprint)
    api.register_blueprint(auth_tokens.blueprint)
    app.register_blueprint(auth_tokens.blueprint, url_prefix="/userapi", name="userapi_tokens")  # the same again
    api.register_blueprint(auth_tokens.key_blueprint)
    api.register_blueprint(auth.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(users.blueprint, url_prefix="/userapi")
    app.register_blueprint(ops.blueprint)
    app.register_blueprint(pages.blueprint)
    admin.configure(app)
    browse.configure(app)
    cli.configure(app)
    return app
