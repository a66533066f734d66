"""Signatures of requests to webhooks: https://www.standardwebhooks.com, version v1 (HMAC-SHA256).

Secrets are derived from SECRET_KEY, so nothing that signs is in the database or a backup of it. A new SECRET_KEY
changes every secret.
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from userapi.security.signing_keys import derive_key

#: What a secret begins with, so that receivers and scanners recognize it.
PREFIX = "whsec_"


def make_secret(endpoint_id: uuid.UUID, generation: int) -> str:
    """A secret of a webhook, as receivers enter it."""
    return PREFIX + base64.b64encode(_derive(endpoint_id, generation)).decode()


def make_message_id(message_id: uuid.UUID) -> str:
    """The header `webhook-id` of a message."""
    return f"msg_{message_id.hex}"


def make_headers(endpoint: Any, message_id: uuid.UUID, now: datetime, body: bytes) -> Mapping[str, str]:
    """The headers that identify and sign a request.

    Args:
        endpoint: the row of the webhook. Until the end of a rotation, both its secrets sign.
        message_id: the same for every attempt.
        now: the time of the attempt.
        body: the exact bytes that are sent.
    """
    identifier, timestamp = make_message_id(message_id), str(int(now.timestamp()))
    signed = f"{identifier}.{timestamp}.".encode() + body
    signatures = [_sign(key, signed) for key in _list_keys(endpoint, now)]
    return {
        "Content-Type": "application/json",
        "webhook-id": identifier,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _list_keys(endpoint: Any, now: datetime) -> Sequence[bytes]:
    generations = [endpoint.generation]
    if endpoint.previous_until is not None and endpoint.previous_until > now:
        generations.append(endpoint.generation - 1)
    return [_derive(endpoint.id, generation) for generation in generations]


def _derive(endpoint_id: uuid.UUID, generation: int) -> bytes:
    return derive_key(f"webhook {endpoint_id} {generation}")


def _sign(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
