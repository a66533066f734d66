"""Texts that a browser carries for us: encrypted and authenticated, so that no one else can read or change them."""

import base64
import zlib
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken

from .signing_keys import derived_key


def seal(purpose: str, content: Any) -> str:
    """Seal plain data, as JSON has it, for one purpose alone; the text is new each time and safe in a cookie."""
    return _box(purpose).encrypt(zlib.compress(orjson.dumps(content))).decode()


def unseal(purpose: str, text: str, seconds: int) -> Any:
    """What was sealed for a purpose within the last so many seconds; None for any other text."""
    try:
        return orjson.loads(zlib.decompress(_box(purpose).decrypt(text.encode(), ttl=seconds)))
    except (InvalidToken, UnicodeEncodeError):
        return None


def _box(purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key(f"sealed-{purpose}")))
