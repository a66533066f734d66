"""Checks of settings that are valid but risky in combination."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from flask import current_app

from userapi import settings
from userapi.core import passkey_settings, private_files
from userapi.core.site import get_site

from .findings import Finding, failure, ok, warning


def check() -> Iterator[Finding]:
    """Check combinations of settings; each setting itself was checked at the start of the command."""
    yield from _site()
    yield from _passkeys()
    yield from _look()
    yield from _proxies()
    yield from _secrets()
    yield from _unconfirmed_addresses()
    yield from _workers()
    yield from _shared_counts()
    if not current_app.config["RATELIMIT_ENABLED"]:
        yield warning("settings", "RATELIMIT_ENABLED is false, so password guessing is not limited. Set it to true.")


def _site() -> Iterator[Finding]:
    site = current_app.config["SITE_URL"]
    if site.startswith("https://"):
        yield ok("settings", f"SITE_URL is {site}")
    elif urlsplit(site).hostname in settings.LOOPBACK_HOSTS:
        yield ok("settings", f"SITE_URL is {site}, for use on this machine only")
    else:
        yield failure("settings", f"SITE_URL is {site}: passwords and tokens are sent unencrypted. Use https.")


def _passkeys() -> Iterator[Finding]:
    rp_id, origins = current_app.config["PASSKEY_RP_ID"], current_app.config["PASSKEY_ORIGINS"]
    if not rp_id:
        yield ok(
            "passkeys", "Not offered: SITE_URL has an IP address. Set it to a host name, such as http://localhost:8000"
        )
        return
    outside = [origin for origin in origins if origin.startswith("http") and not passkey_settings.fits(rp_id, origin)]
    if outside:
        yield warning(
            "passkeys",
            f"PASSKEY_ORIGINS has {', '.join(outside)}, whose pages may use passkeys of {rp_id} only if "
            f"https://{rp_id}/.well-known/webauthn lists them.",
        )
    else:
        yield ok("passkeys", f"Passkeys belong to {rp_id}, and are accepted at {', '.join(origins)}")


def _look() -> Iterator[Finding]:
    """The logo and the colors that follow from SITE_COLOR, if they are set."""
    site = get_site()
    if site.logo is not None:
        size = f"{site.logo.media_type}, {-(-len(site.logo.content) // 1024)} kB"
        where = "on pages and in emails" if site.email_logo_url else "on pages, not in emails: a PNG is shown in both"
        yield ok("settings", f"SITE_LOGO is shown {where} ({size})")
    if site.has_own_color:
        yield ok(
            "settings",
            f"SITE_COLOR is {site.color}: text on it is {site.light.primary_text}, links are {site.light.link} on "
            f"light and {site.dark.link} on dark pages",
        )


def _proxies() -> Iterator[Finding]:
    count = current_app.config["TRUSTED_PROXIES"]
    if current_app.config["SITE_URL"].startswith("https://") and not count:
        yield warning(
            "proxies",
            "TRUSTED_PROXIES is 0, but SITE_URL is https. If a proxy terminates TLS, throttling treats all clients as "
            "one. Set it to the number of your proxies.",
        )
    else:
        yield ok("proxies", f"TRUSTED_PROXIES is {count}")


def _secrets() -> Iterator[Finding]:
    path = Path(settings.load_environment().get("SECRET_KEY_FILE", ""))
    if path.is_file() and private_files.is_accessible_to_others(path):
        level = failure if private_files.is_accessible_to_all(path) else warning
        yield level("settings", f"SECRET_KEY_FILE: {private_files.describe_exposure(path)}")
    else:
        yield ok("settings", f"SECRET_KEY has {len(current_app.config['SECRET_KEY'])} characters")


def _unconfirmed_addresses() -> Iterator[Finding]:
    """Providers whose emails are trusted, where the addresses of accounts are not confirmed."""
    trusted = [f"PROVIDER_{each.id.upper()}" for each in current_app.config["PROVIDERS"] if each.trusts_email]
    if trusted and current_app.config["EMAIL_VERIFICATION"] == "none":
        yield warning(
            "settings",
            f"EMAIL_VERIFICATION is none, so users who have registered with a password lose it when they sign in with "
            f"{' or '.join(trusted)} and the same email address. Set it to optional.",
        )


def _workers() -> Iterator[Finding]:
    workers, cores = current_app.config["WORKERS"], os.cpu_count() or 1
    if workers > 2 * cores:
        yield warning(
            "settings", f"WORKERS is {workers}, but this machine has {cores} cores. One worker per core is enough."
        )
    else:
        yield ok("settings", f"WORKERS is {workers}, for {cores} cores")


def _shared_counts() -> Iterator[Finding]:
    workers = current_app.config["WORKERS"]
    if current_app.config["REDIS_URL"]:
        return  # the health checks show whether Redis responds
    if workers > 2:
        yield warning(
            "redis", f"REDIS_URL is not set, so each of {workers} workers counts attempts separately. Set it."
        )
    else:
        yield ok("redis", "REDIS_URL is not set, so each worker counts attempts separately")
