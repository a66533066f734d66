"""Encrypts and authenticates data that browsers keep in cookies and forms, so that no one can read or change it."""

import base64
import zlib
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken

from .signing_keys import derive_key


def encrypt_json(purpose: str, content: Any) -> str:
    """Encrypt JSON-compatible data for one purpose. The result is different each time and is safe in a cookie."""
    return _create_fernet(purpose).encrypt(zlib.compress(orjson.dumps(content))).decode()


def decrypt_json(purpose: str, text: str, seconds: int) -> Any:
    """Decrypt what was encrypted for a purpose less than `seconds` ago; return None for any other text."""
    try:
        return orjson.loads(zlib.decompress(_create_fernet(purpose).decrypt(text.encode(), ttl=seconds)))
    except (InvalidToken, UnicodeEncodeError):
        return None


def _create_fernet(purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derive_key(f"sealed-{purpose}")))
