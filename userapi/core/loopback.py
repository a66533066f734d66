"""Whether something is on this machine alone."""

import ipaddress
from urllib.parse import urlsplit

from flask import current_app


def is_loopback(host: str | None) -> bool:
    """Whether a host name or IP address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def serves_this_machine_only() -> bool:
    """Whether SITE_URL is only for browsers on this machine, as in development."""
    return is_loopback(urlsplit(current_app.config["SITE_URL"]).hostname)


def is_development() -> bool:
    """Whether the service itself is for browsers on this machine only, without TLS."""
    return serves_this_machine_only() and current_app.config["SITE_URL"].startswith("http:")
