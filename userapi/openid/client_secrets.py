"""Secrets: of clients, of authorization requests, of codes and of devices. Only digests are stored.

What a secret is for is a part of what is digested, so that none is found as another.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from userapi.core import clock

#: The longest secret that is looked up.
MAX_LENGTH = 200

#: The alphabet of user codes: without vowels, so there are no words, and without digits (RFC 8628, section 6.1).
CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8


class TokenAuth(StrEnum):
    """How a client authenticates (OpenID Connect Core, section 9)."""

    NONE = "none"
    BASIC = "client_secret_basic"
    POST = "client_secret_post"


class Use(StrEnum):
    """What a secret is for."""

    CLIENT = "client"
    REQUEST = "request"
    CODE = "code"
    DEVICE = "device"


def make_secret() -> str:
    """256 random bits, safe in URLs."""
    return secrets.token_urlsafe(32)


def make_client_id() -> str:
    """The id of a new client, which is no secret."""
    return secrets.token_hex(10)


def make_user_code() -> str:
    """What a user types for a device, without its hyphen."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def digest(use: Use, secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(f"openid-{use.value}:{secret[: MAX_LENGTH + 1]}".encode("utf-8", "replace")).hexdigest()


def replace_secret(client: Any, grace: timedelta) -> str:
    """Give a client a new secret, and accept the one before for some time.

    Returns:
        The secret, which is not stored.
    """
    secret = make_secret()
    client.previous_secret_digest = client.secret_digest if grace else None
    client.previous_secret_until = clock.now() + grace if grace and client.secret_digest else None
    client.secret_digest = digest(Use.CLIENT, secret)
    return secret


def matches(client: Any, secret: str, now: datetime) -> bool:
    """Whether a secret is that of a client, or the one before while it is accepted.

    Args:
        client: a row of the clients; None is compared in the same time.
        secret: as it was sent.
        now: the current time.
    """
    sent = digest(Use.CLIENT, secret)
    current = hmac.compare_digest(sent, (client and client.secret_digest) or "")
    until = client and client.previous_secret_until
    previous = hmac.compare_digest(sent, (client and client.previous_secret_digest) or "")
    return bool(current or (previous and until and now < until))
