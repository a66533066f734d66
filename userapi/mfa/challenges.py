"""Challenges for passkeys: signed, so that requesting one stores nothing. A challenge is stored when it is answered.

A challenge is `nonce (16 bytes) ‖ expiry (8 bytes) ‖ HMAC-SHA-256`. The MAC covers what the challenge is for, so a
response to one use is not valid for another.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from userapi.core import clock
from userapi.security import signing_keys

LIFETIME = timedelta(minutes=5)

NONCE_LENGTH, EXPIRY_LENGTH = 16, 8


class Purpose(StrEnum):
    """What a challenge is for."""

    SIGN_IN = "sign_in"
    SECOND_STEP = "second_step"
    PROOF = "proof"
    REGISTRATION = "registration"


def issue(purpose: Purpose, bound_to: bytes = b"") -> bytes:
    """Issue a challenge.

    Args:
        purpose: what it is for.
        bound_to: the session or the pending sign-in that must send the response; empty for a sign-in by passkey alone.
    """
    expires = int((clock.now() + LIFETIME).timestamp())
    head = secrets.token_bytes(NONCE_LENGTH) + expires.to_bytes(EXPIRY_LENGTH)
    return head + _sign(head, purpose, bound_to)


def is_valid(challenge: bytes, purpose: Purpose, bound_to: bytes = b"") -> bool:
    """Whether this service issued a challenge for this use, and it has not expired. It may have been used."""
    head, mac = challenge[: NONCE_LENGTH + EXPIRY_LENGTH], challenge[NONCE_LENGTH + EXPIRY_LENGTH :]
    return hmac.compare_digest(mac, _sign(head, purpose, bound_to)) and clock.now() < expires_at(challenge)


def expires_at(challenge: bytes) -> datetime:
    """When a valid challenge expires."""
    return datetime.fromtimestamp(int.from_bytes(challenge[NONCE_LENGTH : NONCE_LENGTH + EXPIRY_LENGTH]), UTC)


def compute_digest(challenge: bytes) -> str:
    """What is stored of a used challenge."""
    return hashlib.sha256(challenge).hexdigest()


def _sign(head: bytes, purpose: Purpose, bound_to: bytes) -> bytes:
    message = head + purpose.encode() + b"\x00" + bound_to
    return hmac.digest(signing_keys.derive_key("passkey-challenges"), message, "sha256")
