"""The application factory: the table of contents."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from userapi import admin, browse, cli
from userapi.audit import audit_log
from userapi.auth import activity_routes as auth_activity
from userapi.auth import authentication, factor_routes, passkey_routes, proof_routes, second_step_routes, tokens
from userapi.auth import routes as auth
from userapi.auth import token_routes as auth_tokens
from userapi.auth.field_descriptions import DESCRIPTIONS
from userapi.bulk import job_worker as bulk
from userapi.core import db, folders, i18n, site
from userapi.core.extensions import migrate
from userapi.html import flash, icons, theme
from userapi.http import (
    api_document,
    assets,
    bodies,
    cross_origin,
    errors,
    headers,
    openapi,
    proxies,
    requests,
    responses,
)
from userapi.http.application import Application
from userapi.mail import delivery_loop, relay
from userapi.mail import queue as mail_queue
from userapi.observability import logs, metrics, tracing
from userapi.ops import routes as ops
from userapi.pages import routes as pages
from userapi.security import data_keys, hashing_threads, signing_keys, throttling
from userapi.transfer import job_worker as imports
from userapi.users import routes as users
from userapi.users import search_index


def create_app(settings: Mapping[str, Any]) -> Flask:
    """Make the application.

    Args:
        settings: what `userapi.settings.load` gives.
    """
    app = Application(__name__, instance_path=settings["USERAPI_INSTANCE"])
    app.config.from_mapping(settings)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    for part in (metrics, logs, proxies, requests, i18n, site, responses):
        part.configure(app)
    db.configure(app, watch=metrics.count_connections)
    for part in (signing_keys, data_keys, hashing_threads, headers, cross_origin):
        part.configure(app)
    for part in (errors, bodies, tracing, audit_log, tokens, authentication, assets, throttling, mail_queue, relay):
        part.configure(app)
    for part in (flash, theme, icons, delivery_loop, imports, bulk):
        part.configure(app)
    migrate.init_app(
        app,
        db.db,
        str(folders.MIGRATIONS),
        render_item=db.render_migration_type,
        include_name=search_index.include_name,
    )

    openapi.configure(app)
    api = api_document.configure(app, DESCRIPTIONS)
    api.register_blueprint(ops.index_blueprint)
    api.register_blueprint(auth_tokens.blueprint)
    app.register_blueprint(auth_tokens.blueprint, url_prefix="/userapi", name="userapi_tokens")  # the same again
    api.register_blueprint(auth_tokens.key_blueprint)
    api.register_blueprint(auth.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(passkey_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(second_step_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(proof_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(factor_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(auth_activity.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(users.blueprint, url_prefix="/userapi")
    app.register_blueprint(ops.blueprint)
    app.register_blueprint(pages.blueprint)
    admin.configure(app)
    browse.configure(app)
    cli.configure(app)
    assets.serve_files(app)
    return app
