"""The settings of requests to other services, a part of `userapi.settings`."""

import ipaddress
from typing import Any

from environs import validate

from . import setting_checks as checks
from .environment import Settings


def read(env: Settings) -> dict[str, Any]:
    """The settings in an environment."""
    return {
        "OUTBOUND_TIMEOUT": env.int("OUTBOUND_TIMEOUT", 5, validate=validate.Range(1, 30)),
        "OUTBOUND_CONCURRENCY": env.int("OUTBOUND_CONCURRENCY", 4, validate=validate.Range(1, 64)),
        "OUTBOUND_PRIVATE_HOSTS": env.list("OUTBOUND_PRIVATE_HOSTS", [], subcast=str, validate=private_hosts),
    }


def private_hosts(values: list[str]) -> tuple[str, ...]:
    """Host names, IP addresses and ranges of these in CIDR notation (RFC 4632), each in its normal form."""
    return tuple(_private_host(value.strip()) for value in values)


def _private_host(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        return checks.host(value).lower().rstrip(".")
