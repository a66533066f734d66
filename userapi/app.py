"""The application factory: the table of contents."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask

from userapi import admin, browse, cli
from userapi.audit import audit_log, subscribers
from userapi.auth import (
    account_claims,
    api_key_routes,
    api_key_warnings,
    api_keys,
    authentication,
    event_routes,
    factor_routes,
    identity_routes,
    mailed_code_routes,
    passkey_discovery_routes,
    passkey_routes,
    proof_routes,
    provider_routes,
    second_step_routes,
    service_account_routes,
    tokens,
)
from userapi.auth import activity_routes as auth_activity
from userapi.auth import routes as auth
from userapi.auth import token_routes as auth_tokens
from userapi.auth.field_descriptions import DESCRIPTIONS
from userapi.bulk import job_worker as bulk
from userapi.core import db, erasure, extension_paths, hooks, i18n, migrations, site, template_folders
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
from userapi.invitations import deletion as invitation_deletion
from userapi.invitations import routes as invitations
from userapi.mail import delivery_loop, relay
from userapi.observability import logs, metrics, tracing
from userapi.ops import routes as ops
from userapi.outbound import http_client, notices
from userapi.pages import routes as pages
from userapi.privacy import export_routes, removal, restore_links, retention
from userapi.privacy import routes as closing
from userapi.security import data_keys, hashing_threads, signing_keys, throttling
from userapi.transfer import forgotten_files
from userapi.transfer import job_worker as imports
from userapi.users import declaration, missing_fields, permission_names, search_index
from userapi.users import routes as users
from userapi.webhooks import delivery_loop as webhook_loop
from userapi.webhooks import fan_out
from userapi.webhooks import routes as webhooks

if TYPE_CHECKING:
    from userapi.extending import Extension


def create_app(settings: Mapping[str, Any], extensions: "Iterable[Extension]" = ()) -> Flask:
    """Make the application.

    Args:
        settings: what `userapi.settings.load` gives.
        extensions: besides those of the setting EXTENSIONS.

    Raises:
        ConfigurationError: an extension cannot be loaded or does not fit.
    """
    found = (*extensions, *extension_paths.load_all(settings["EXTENSIONS"]))
    static_path = settings.get("STATIC_PATH", "/static")
    app = Application(__name__, static_url_path=static_path, instance_path=settings["USERAPI_INSTANCE"])
    app.config.from_mapping(settings)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    for part in (hooks, metrics, logs, proxies, requests, i18n, site, responses, template_folders, permission_names):
        part.configure(app)
    db.configure(app, watch=metrics.count_connections)
    if app.config["DATABASE_READ_URL"]:
        from userapi.core import standby  # without the setting, nothing of it is imported

        standby.configure(app, metrics.get_metrics(app).count_standby_read)
    erasure.configure(app)
    for part in (signing_keys, data_keys, hashing_threads, headers, cross_origin):
        part.configure(app)
    for part in (errors, bodies, tracing, audit_log, tokens, authentication, api_keys, assets, throttling, relay):
        part.configure(app)
    for part in (flash, theme, icons, delivery_loop, http_client, notices, imports, bulk, fan_out, webhook_loop):
        part.configure(app)
    forgotten_files.configure(app)
    api_key_warnings.configure(app)
    removal.configure(app)
    restore_links.configure(app)
    invitation_deletion.configure(app)
    retention.configure(app)
    migrations.configure(app, include_name=search_index.include_name)
    if found:
        from userapi.extending import wiring  # without extensions, nothing of it is imported

        wiring.prepare(app, found)
    declaration.configure(app, [field for extension in found for field in extension.fields])
    account_claims.configure(app)
    openapi.configure(app)
    if app.config["OPENID_PROVIDER"]:
        from userapi.openid import problems  # noqa: F401 (the document lists their codes)
    api = api_document.configure(app, DESCRIPTIONS)
    api.register_blueprint(ops.index_blueprint)
    api.register_blueprint(auth_tokens.blueprint)
    app.register_blueprint(auth_tokens.blueprint, url_prefix="/userapi", name="userapi_tokens")  # the same again
    api.register_blueprint(auth_tokens.key_blueprint)
    api.register_blueprint(passkey_discovery_routes.blueprint)
    api.register_blueprint(auth.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(passkey_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(mailed_code_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(second_step_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(proof_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(factor_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(provider_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(identity_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(auth_activity.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(export_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(closing.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(api_key_routes.blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(invitations.own_blueprint, url_prefix="/userapi/auth")
    api.register_blueprint(users.blueprint, url_prefix="/userapi")
    api.register_blueprint(invitations.blueprint, url_prefix="/userapi")
    api.register_blueprint(service_account_routes.blueprint, url_prefix="/userapi")
    api.register_blueprint(webhooks.blueprint, url_prefix="/userapi")
    api.register_blueprint(event_routes.blueprint, url_prefix="/userapi")
    api.document(missing_fields.describe)
    app.register_blueprint(ops.blueprint)
    app.register_blueprint(pages.blueprint)
    if app.config["USERS_MAY_INVITE"]:
        from userapi.pages import own_invitations  # without the setting, nothing of it is imported

        app.register_blueprint(own_invitations.blueprint)
    if app.config["IMPERSONATION"]:
        _add_impersonation(app)
    if app.config["OPENID_PROVIDER"]:
        _add_openid_provider(app, api)
    admin.configure(app)
    cli.configure(app)
    if found:
        wiring.register(app, api)
    if app.config["LEGACY_CLIENTS"]:
        from userapi.legacy import adapter  # without clients of the replaced service, nothing of it is imported
        from userapi.legacy.routes import ADAPTED

        adapter.configure(app, ADAPTED)
    browse.configure(app)
    assets.serve_files(app)
    subscribers.configure(app)  # last: extensions have registered theirs
    return app


def _add_impersonation(app: Flask) -> None:
    from userapi.html import impersonation_banner  # without the setting, nothing of it is imported
    from userapi.pages import impersonation

    app.register_blueprint(impersonation.blueprint)
    impersonation_banner.configure(app)


def _add_openid_provider(app: Flask, api: Any) -> None:
    from userapi.openid import (
        app_routes,
        apps,
        logout_notices,
        routes,
    )  # without the setting, nothing of it is imported
    from userapi.pages import app_pages

    logout_notices.configure(app)
    routes.configure(app)
    api.register_blueprint(app_routes.blueprint, url_prefix="/userapi/auth")
    app.register_blueprint(app_pages.blueprint)
    app.jinja_env.globals["has_apps"] = apps.has_any_client
