"""What is stored of codes and links that are sent by email, and how they are read."""

import base64
import hashlib
import hmac
import uuid
from enum import StrEnum
from typing import Any

from userapi.mfa.codes import normalize
from userapi.security import signing_keys

DIGITS = 8


class Purpose(StrEnum):
    """What a code is for; it is not valid for anything else."""

    SIGN_IN = "sign_in"
    PROVE = "prove"
    CLAIM = "claim"


def read_code(typed: str) -> str | None:
    """The eight digits of a code as typed: without spaces and hyphens, of any script; None if it is no code."""
    plain = normalize(typed)
    return plain if len(plain) == DIGITS and plain.isascii() and plain.isdigit() else None


def authenticate(challenge: uuid.UUID, purpose: Purpose, code: str) -> str:
    """What is stored of a code. Without the key, all codes would have to be tried, which takes seconds."""
    message = b"\0".join((purpose.encode(), challenge.bytes, code.encode()))
    return hmac.new(signing_keys.derive_key("mailed-codes"), message, hashlib.sha256).hexdigest()


def compute_link_digest(token: str) -> str:
    """What is stored of the token in a link. No token of another kind has this digest."""
    return hashlib.sha256(f"link:{token}".encode("utf-8", "replace")).hexdigest()


def fits_verifier(found: Any, verifier: str | None) -> bool:
    """Whether this is the secret whose digest came with the request (RFC 7636, section 4.6)."""
    if verifier is None or found.client_challenge is None:
        return False
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"="), found.client_challenge.encode())


def parse_challenge(challenge: str) -> uuid.UUID | None:
    """What names a request; None if the text names none."""
    try:
        return uuid.UUID(challenge)
    except ValueError:
        return None
