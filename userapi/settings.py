"""Every setting: read from the environment once, typed, rejected when unsafe.

A name in the environment is the name in `app.config`; `docs/settings.md` explains each.
A variable `NAME_FILE` may hold the path of a file with the value, as container secrets do.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from environs import Env, EnvValidationError, validate
from marshmallow import ValidationError

from userapi.core import (
    database_urls,
    folders,
    impersonation_settings,
    legacy_settings,
    mailed_code_settings,
    openid_settings,
    outbound_settings,
    passkey_settings,
    privacy_settings,
    provider_settings,
    registration_settings,
    site_logo,
    throttle_settings,
    webhook_settings,
)
from userapi.core import environment as sources
from userapi.core import second_factor_settings as factor_settings
from userapi.core import setting_checks as checks
from userapi.core.derived_settings import derive
from userapi.core.environment import ConfigurationError as ConfigurationError
from userapi.core.environment import Settings

#: The BCP 47 tags of the languages with catalogues; English texts are in the code.
LANGUAGES = ("en", *sorted(path.name.replace("_", "-") for path in folders.PACKAGE.glob("translations/??*")))

#: Settings whose values have several spellings, with functions that return the one that the service uses.
NORMAL_FORMS: dict[str, Callable[[Any], Any]] = {
    "DATABASE_URL": database_urls.database_url,
    "DATABASE_READ_URL": database_urls.postgresql_url_or_none,
    "SITE_URL": checks.origin_or_none,
    "FRONTEND_URL": checks.base_url_or_none,
    "CORS_ORIGINS": checks.origins,
    "OTEL_EXPORTER_OTLP_ENDPOINT": checks.base_url_or_none,
    "EMAIL_INTRANET_DOMAINS": checks.domains,
    "REGISTRATION_EMAIL_DOMAINS": checks.domains,
    "HOST": checks.host,
    "MAIL_SERVER": checks.host_or_none,
    "MAIL_DEFAULT_SENDER": checks.sender_or_none,
    "SITE_NAME": checks.site_name_or_none,
    "SITE_COLOR": checks.color_or_none,
    "SUPPORT_EMAIL": checks.plain_email_or_none,
    "SECOND_STEP_REQUIRED_FROM": checks.date_or_none,
    "OUTBOUND_PRIVATE_HOSTS": outbound_settings.private_hosts,
    "WEBHOOK_ALLOWED_NETWORKS": webhook_settings.networks,
}

#: Mail servers on this machine, to which a password may be sent unencrypted.
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


def load_environment() -> dict[str, str]:
    """The process environment over the `.env` file in the working directory.

    If neither sets a secret, the secret that `make run` created is used, with the SITE_URL of the last `make run`.

    Raises:
        ConfigurationError: `.env` or `instance/` cannot be read.
    """
    values = sources.read_environment()
    secret, site_url = Settings(values).secret_file, Settings(values).last_site_url_file
    if not is_set(values, "SECRET_KEY") and sources.path_exists(secret, "SECRET_KEY, DATABASE_URL and JWT_KEY_DIR"):
        values["SECRET_KEY_FILE"] = str(secret)
        if site_url.is_file() and not any(is_set(values, name) for name in ("SITE_URL", "HOST", "PORT")):
            values["SITE_URL_FILE"] = str(site_url)
    return values


#: Settings that were renamed: the old name is still read, and `flask doctor` reports it.
OLD_NAMES = {
    "RATELIMIT_SIGN_IN_IP": "RATELIMIT_SIGN_IN_ADDRESS",
    "RATELIMIT_REFRESH_IP": "RATELIMIT_REFRESH_ADDRESS",
}


def is_set(values: Mapping[str, str], name: str) -> bool:
    """Whether an environment has a value for a setting, itself or in a file; an empty one does not count."""
    return any(values.get(key, "").strip() for key in (name, f"{name}_FILE"))


def load(values: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the Flask configuration for an environment.

    Args:
        values: variable names to texts; the process environment and `.env` when absent.

    Raises:
        ConfigurationError: naming every variable that is missing, weak or of the wrong type.
    """
    env = Settings(load_environment() if values is None else values, OLD_NAMES)
    settings = _read(env)
    try:
        env.seal()
    except EnvValidationError as error:
        messages: dict[str, Any] = dict(error.error_messages)  # type: ignore[arg-type]
        raise ConfigurationError(
            "; ".join(f"{env.names_in_use.get(name, name)}: {_join(texts)}" for name, texts in messages.items())
        ) from error
    for name, normal_form in NORMAL_FORMS.items():
        settings[name] = normal_form(settings[name])
    settings["SITE_URL"] = settings["SITE_URL"] or _url(settings["HOST"], settings["PORT"])
    settings |= passkey_settings.resolve(settings) | provider_settings.resolve(settings)
    if settings.pop("FLASK_DEBUG") and settings["SITE_URL"].startswith("https://"):
        raise ConfigurationError("FLASK_DEBUG: The debugger must not be public. Unset it.")
    if settings["DATABASE_READ_URL"] and settings["DATABASE_URL"].startswith("sqlite"):
        raise ConfigurationError("DATABASE_READ_URL: SQLite has no standbys. Unset it, or use PostgreSQL.")
    _reject_unsafe_mail(settings)
    webhook_settings.require_events(settings)
    privacy_settings.require_confirmation(settings)
    legacy_settings.require_legacy_clients(settings)
    registration_settings.require_consistent(settings)
    try:
        checks.account_email(settings["SUPERUSER_EMAIL"], settings["EMAIL_INTRANET_DOMAINS"])
    except ValidationError as error:
        raise ConfigurationError(f"SUPERUSER_EMAIL: {error}") from error
    return {**settings, **derive(settings)}


def _join(messages: Any) -> str:
    """The messages about a setting; those about a list of numbers are by the position of the wrong one."""
    if isinstance(messages, dict):
        return " ".join(_join(each) for each in messages.values())
    return "Not a list of numbers." if any(isinstance(each, int) for each in messages) else " ".join(messages)


def list_setting_names(values: Mapping[str, str] | None = None) -> frozenset[str]:
    """The names of all settings.

    Args:
        values: the environment, for the settings of the providers that it names; without it they are left out.
    """
    env, of_providers = Settings({}), Settings({"PROVIDERS": (values or {}).get("PROVIDERS", "")})
    _read(env)
    provider_settings.read(of_providers)
    return frozenset(env.names | of_providers.names)


def _read(env: Settings) -> dict[str, Any]:
    parts = (_service, _identity, _server, _tokens, _lifetimes, _passwords, _mail, _logging, _monitoring)
    groups = (
        factor_settings,
        impersonation_settings,
        passkey_settings,
        outbound_settings,
        mailed_code_settings,
        provider_settings,
        registration_settings,
        throttle_settings,
        webhook_settings,
        openid_settings,
        privacy_settings,
        legacy_settings,
    )
    return {name: value for part in (*parts, *(group.read for group in groups)) for name, value in part(env).items()}


def _service(env: Settings) -> dict[str, Any]:
    sqlite = f"sqlite:///{quote(str(env.instance))}/userapi.db"
    return {
        "USERAPI_INSTANCE": str(env.instance),
        "SECRET_KEY": env.str("SECRET_KEY", validate=checks.strong_secret),
        "DATABASE_URL": env.str("DATABASE_URL", sqlite, validate=database_urls.database_url),
        "DATABASE_READ_URL": env.str("DATABASE_READ_URL", "", validate=database_urls.postgresql_url_or_none),
        "SITE_URL": env.str("SITE_URL", "", validate=checks.origin_or_none),
        "FRONTEND_URL": env.str("FRONTEND_URL", "", validate=checks.base_url_or_none),
        "EXTENSIONS": env.list("EXTENSIONS", [], subcast=str),
        "TEMPLATES": env.str("TEMPLATES", "", validate=checks.folder_or_none),
        "BROWSABLE_API": env.bool("BROWSABLE_API", True),
        "CORS_ORIGINS": env.list("CORS_ORIGINS", [], subcast=str, validate=checks.origins),
        "TRUSTED_PROXIES": env.int("TRUSTED_PROXIES", 0, validate=validate.Range(0, 10)),
        "DATABASE_POOL_SIZE": env.int("DATABASE_POOL_SIZE", 5, validate=validate.Range(1, 200)),
        "DATABASE_POOLER": env.str("DATABASE_POOLER", "none", validate=validate.OneOf(("none", "transaction"))),
        "VERSION_TABLE": env.str("VERSION_TABLE", "alembic_version", validate=checks.table_name),
        "CELERY_BROKER_URL": env.str("CELERY_BROKER_URL", "", validate=checks.broker_url_or_none),
        "EMAIL_VERIFICATION": env.str(
            "EMAIL_VERIFICATION", "optional", validate=validate.OneOf(("optional", "mandatory", "none"))
        ),
        "EMAIL_INTRANET_DOMAINS": env.list("EMAIL_INTRANET_DOMAINS", [], subcast=str, validate=checks.domains),
        # nginx has a limit of its own, `client_max_body_size` in deploy/nginx.
        "IMPORT_MAX_MIB": env.int("IMPORT_MAX_MIB", 10, validate=validate.Range(1, 1024)),
        "PROFILE_FIELDS": env.str("PROFILE_FIELDS", ""),
        "PROFILE_ZIP_MAX_LENGTH": env.int("PROFILE_ZIP_MAX_LENGTH", 5, validate=validate.Range(5, 16)),
        "LANGUAGES": env.list("LANGUAGES", LANGUAGES, subcast=str, validate=validate.ContainsOnly(LANGUAGES)),
        "DEFAULT_LANGUAGE": env.str("DEFAULT_LANGUAGE", "en", validate=validate.OneOf(LANGUAGES)),
    }


def _identity(env: Env) -> dict[str, Any]:
    """What pages and emails show as the site; `userapi.core.site` offers it to templates."""
    return {
        "SITE_NAME": env.str("SITE_NAME", "", validate=checks.site_name_or_none),
        "SITE_LOGO": env.str("SITE_LOGO", "", validate=site_logo.logo_or_none),
        "SITE_COLOR": env.str("SITE_COLOR", "", validate=checks.color_or_none),
        "SUPPORT_EMAIL": env.str("SUPPORT_EMAIL", "", validate=checks.plain_email_or_none),
    }


def _server(env: Env) -> dict[str, Any]:
    """Settings of `make run`; with another server, only the default of SITE_URL depends on these."""
    return {
        "HOST": env.str("HOST", "127.0.0.1", validate=checks.host),
        "PORT": env.int("PORT", 8000, validate=validate.Range(1, 65535)),
        "WORKERS": env.int("WORKERS", 2, validate=validate.Range(1, 256)),
        "WORKER_THREADS": env.int("WORKER_THREADS", 4, validate=validate.Range(1, 64)),
        "SUPERUSER_EMAIL": env.str("SUPERUSER_EMAIL", "admin@example.com"),
        "FLASK_DEBUG": env.bool("FLASK_DEBUG", False),
    }


def _tokens(env: Settings) -> dict[str, Any]:
    seconds = validate.Range(1)
    return {
        "JWT_KEY_DIR": env.str("JWT_KEY_DIR", f"{env.instance}/keys"),
        "DATA_KEY_DIR": env.str("DATA_KEY_DIR", f"{env.instance}/data_keys"),
        "JWT_ISSUER": env.str("JWT_ISSUER", "", validate=validate.Length(max=255)),
        "JWT_AUDIENCE": env.str("JWT_AUDIENCE", "userapi", validate=validate.Length(1, 255)),
        "ACCESS_TOKEN_LIFETIME": env.int("ACCESS_TOKEN_LIFETIME", 900, validate=validate.Range(1, 3600)),
        "SESSION_LIFETIME": env.int("SESSION_LIFETIME", 30 * 86400, validate=seconds),
        "SESSION_IDLE_LIFETIME": env.int("SESSION_IDLE_LIFETIME", 7 * 86400, validate=seconds),
        "REFRESH_REUSE_WINDOW": env.int("REFRESH_REUSE_WINDOW", 10, validate=validate.Range(0, 60)),
        "SESSIONS_PER_USER": env.int("SESSIONS_PER_USER", 100, validate=validate.Range(1, 10_000)),
        "API_KEY_PREFIX": env.str("API_KEY_PREFIX", "userapi_key_", validate=checks.api_key_prefix),
        "API_KEY_MAX_LIFETIME": env.int("API_KEY_MAX_LIFETIME", 366, validate=validate.Range(0, 3660)),
        "ACCESS_TOKEN_CLAIMS": env.list("ACCESS_TOKEN_CLAIMS", [], subcast=str),
    }


def _lifetimes(env: Env) -> dict[str, Any]:
    """The lifetimes of links in emails, staff sessions and typed passwords, in seconds."""
    days = 86400
    return {
        "PASSWORD_RESET_LIFETIME": env.int("PASSWORD_RESET_LIFETIME", 3600, validate=validate.Range(300, days)),
        "EMAIL_CONFIRMATION_LIFETIME": env.int(
            "EMAIL_CONFIRMATION_LIFETIME", days, validate=validate.Range(3600, 30 * days)
        ),
        "EMAIL_CHANGE_UNDO_LIFETIME": env.int(
            "EMAIL_CHANGE_UNDO_LIFETIME", 7 * days, validate=validate.Range(days, 90 * days)
        ),
        "STAFF_IDLE_LIFETIME": env.int("STAFF_IDLE_LIFETIME", 1800, validate=validate.Range(60, days)),
        "STAFF_SESSION_LIFETIME": env.int("STAFF_SESSION_LIFETIME", 8 * 3600, validate=validate.Range(60, 30 * days)),
        "FRESH_PROOF_LIFETIME": env.int("FRESH_PROOF_LIFETIME", 900, validate=validate.Range(60, 3600)),
    }


def _passwords(env: Env) -> dict[str, Any]:
    return {
        "PASSWORD_MIN_LENGTH": env.int("PASSWORD_MIN_LENGTH", 8, validate=validate.Range(8, 128)),
        "PASSWORD_MIN_SCORE": env.int("PASSWORD_MIN_SCORE", 2, validate=validate.Range(0, 4)),
        "PASSWORD_HASH_MEMORY": env.int("PASSWORD_HASH_MEMORY", 19456, validate=validate.Range(8)),
        "PASSWORD_HASH_TIME": env.int("PASSWORD_HASH_TIME", 2, validate=validate.Range(1, 20)),
        "PASSWORD_HASH_CONCURRENCY": env.int("PASSWORD_HASH_CONCURRENCY", 1, validate=validate.Range(1, 64)),
    }


def _mail(env: Env) -> dict[str, Any]:
    """How emails are sent. Without a MAIL_SERVER they are stored, and `flask mail list` shows them."""
    return {
        "MAIL_SERVER": env.str("MAIL_SERVER", "", validate=checks.host_or_none),
        "MAIL_PORT": env.int("MAIL_PORT", 0, validate=validate.Range(0, 65535)),
        "MAIL_USE_TLS": env.bool("MAIL_USE_TLS", False),
        "MAIL_USE_SSL": env.bool("MAIL_USE_SSL", False),
        "MAIL_USERNAME": env.str("MAIL_USERNAME", ""),
        "MAIL_PASSWORD": env.str("MAIL_PASSWORD", ""),
        "MAIL_DEFAULT_SENDER": env.str("MAIL_DEFAULT_SENDER", "", validate=checks.sender_or_none),
        "MAIL_TIMEOUT": env.int("MAIL_TIMEOUT", 10, validate=validate.Range(1, 300)),
        "MAIL_MAX_ATTEMPTS": env.int("MAIL_MAX_ATTEMPTS", 20, validate=validate.Range(1, 100)),
        "MAIL_KEEP_DAYS": env.int("MAIL_KEEP_DAYS", 90, validate=validate.Range(0, 3650)),
        "MAIL_DELIVERY": env.str("MAIL_DELIVERY", "thread", validate=validate.OneOf(("thread", "none"))),
        "MAIL_TEMPLATES": env.str("MAIL_TEMPLATES", "", validate=checks.folder_or_none),
    }


def _logging(env: Env) -> dict[str, Any]:
    return {
        "LOG_LEVEL": env.str(
            "LOG_LEVEL", "INFO", validate=validate.OneOf(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
        ),
        "LOG_FORMAT": env.str(
            "LOG_FORMAT", "console" if sys.stderr.isatty() else "json", validate=validate.OneOf(("json", "console"))
        ),
        "AUDIT_KEEP_DAYS": env.int("AUDIT_KEEP_DAYS", 0, validate=validate.Range(0, 36500)),
        "AUDIT_ADDRESS_KEEP_DAYS": env.int("AUDIT_ADDRESS_KEEP_DAYS", 0, validate=validate.Range(0, 36500)),
    }


def _monitoring(env: Env) -> dict[str, Any]:
    """Metrics and traces of the running service."""
    return {
        "METRICS_TOKEN": env.str("METRICS_TOKEN", "", validate=checks.strong_secret_or_none),
        "OTEL_EXPORTER_OTLP_ENDPOINT": env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "", validate=checks.base_url_or_none),
        "PROMETHEUS_MULTIPROC_DIR": env.str("PROMETHEUS_MULTIPROC_DIR", "", validate=checks.folder_or_none),
    }


def _reject_unsafe_mail(settings: Mapping[str, Any]) -> None:
    encrypted = settings["MAIL_USE_TLS"] or settings["MAIL_USE_SSL"]
    if settings["MAIL_USE_TLS"] and settings["MAIL_USE_SSL"]:
        raise ConfigurationError(
            "MAIL_USE_TLS, MAIL_USE_SSL: Set only one: STARTTLS (port 587) or TLS from the start (port 465)."
        )
    if settings["MAIL_PASSWORD"] and not encrypted and settings["MAIL_SERVER"] not in LOOPBACK_HOSTS:
        raise ConfigurationError("MAIL_PASSWORD: Would be sent unencrypted. Set MAIL_USE_TLS or MAIL_USE_SSL.")


def _url(host: str, port: int) -> str:
    """The URL at which a browser on this machine reaches the server: by a name if possible, as passkeys need one."""
    names = {"127.0.0.1": "localhost", "0.0.0.0": "localhost", "::": "[::1]"}  # noqa: S104
    host = names.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"
