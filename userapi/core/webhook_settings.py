"""The settings of webhooks, a part of `userapi.settings`."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from environs import validate
from marshmallow import ValidationError

from .environment import ConfigurationError, Settings


def read(env: Settings) -> dict[str, Any]:
    """The settings in an environment."""
    return {
        "WEBHOOKS": env.bool("WEBHOOKS", True),
        "WEBHOOK_ALLOWED_NETWORKS": env.list("WEBHOOK_ALLOWED_NETWORKS", [], subcast=str, validate=networks),
        "WEBHOOK_PORTS": env.list("WEBHOOK_PORTS", [443, 8443], subcast=int, validate=_ports),
        "WEBHOOK_TIMEOUT": env.int("WEBHOOK_TIMEOUT", 15, validate=validate.Range(1, 60)),
        "WEBHOOK_MAX_ATTEMPTS": env.int("WEBHOOK_MAX_ATTEMPTS", 10, validate=validate.Range(1, 20)),
        "WEBHOOK_KEEP_DAYS": env.int("WEBHOOK_KEEP_DAYS", 30, validate=validate.Range(1, 3650)),
        "WEBHOOK_CONCURRENCY": env.int("WEBHOOK_CONCURRENCY", 4, validate=validate.Range(1, 64)),
    }


def require_events(settings: Mapping[str, Any]) -> None:
    """Keep events for as long as deliveries, which are sent and replayed from them.

    Raises:
        ConfigurationError: events would be deleted earlier.
    """
    if settings["WEBHOOKS"] and 0 < settings["AUDIT_KEEP_DAYS"] < settings["WEBHOOK_KEEP_DAYS"]:
        raise ConfigurationError(
            "AUDIT_KEEP_DAYS: Must be 0 or at least WEBHOOK_KEEP_DAYS, because webhooks are sent from the audit log."
        )


def networks(values: list[str]) -> tuple[str, ...]:
    """IP addresses and ranges of these in CIDR notation (RFC 4632), each in its normal form."""
    try:
        return tuple(str(ipaddress.ip_network(value.strip())) for value in values)
    except ValueError as error:
        raise ValidationError("Not an IP address or a range such as 10.1.0.0/16.") from error


def _ports(values: list[int]) -> None:
    if not values or not all(1 <= value <= 65535 for value in values):
        raise ValidationError("Must be ports from 1 to 65535.")
