"""Seals secrets that the database keeps but cannot read, such as the secret of an authenticator app.

The keys are in the folder DATA_KEY_DIR, a file of 32 random bytes in base64 each. They are not derived from SECRET_KEY,
so that a new SECRET_KEY costs no user a second factor. The folder is neither read nor created before the first secret.

A sealed text is `v1.<kid>.<nonce and ciphertext>`: AES-256-GCM with a key derived for its purpose (HKDF, RFC 5869). The
place where it is stored is authenticated too, so that it cannot be opened in another row.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask, current_app
from flask_babel import lazy_gettext

from userapi.core.problems import Unavailable

from .key_folder import KeyFolder, KeyFolderError

VERSION = "v1"
KEY_BYTES = 32
NONCE_BYTES = 12
KID_LENGTH = 8


class DataKeyMissing(Unavailable):
    """The key that sealed a secret is not in the folder."""

    detail = lazy_gettext("The service cannot read a stored secret at the moment. Try again later.")

    def __init__(self, kid: str) -> None:
        super().__init__()
        self.kid = kid


class CannotOpen(Exception):
    """A sealed text was changed, or belongs to another row."""


@dataclass(frozen=True)
class DataKey:
    """A key that seals secrets.

    Attributes:
        kid: the key id, the first characters of a digest.
        name: the file name without `.key`.
        material: the random bytes that keys are derived from.
    """

    kid: str
    name: str
    material: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.kid})"


class DataKeys(KeyFolder[DataKey]):
    """The data keys. The newest key seals; all keys open."""

    setting: ClassVar[str] = "DATA_KEY_DIR"
    rotate_command: ClassVar[str] = "flask data-keys rotate"
    extension: ClassVar[str] = "key"

    def generate(self) -> bytes:
        """Return new random bytes in base64."""
        return base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"

    def load(self, name: str, content: bytes) -> DataKey:
        """Return the key in a file.

        Raises:
            KeyFolderError: it does not contain 32 bytes in base64.
        """
        try:
            material = base64.b64decode(content.strip(), validate=True)
        except binascii.Error:
            material = b""
        if len(material) != KEY_BYTES:
            raise KeyFolderError(f"DATA_KEY_DIR: {name}.key does not contain {KEY_BYTES} bytes in base64")
        return DataKey(hashlib.sha256(b"userapi-data-key" + material).hexdigest()[:KID_LENGTH], name, material)

    def find_or_raise(self, kid: str) -> DataKey:
        """Return the key with an id.

        Raises:
            DataKeyMissing: there is none.
        """
        key = self.find(kid)
        if key is None:
            raise DataKeyMissing(kid)
        return key


def configure(app: Flask) -> None:
    """Give the application its data keys, without reading the folder."""
    app.extensions["userapi-data-keys"] = DataKeys(Path(app.config["DATA_KEY_DIR"]))


def get_data_keys() -> DataKeys:
    """Return the data keys of the current application."""
    keys: DataKeys = current_app.extensions["userapi-data-keys"]
    return keys


def seal(text: str, purpose: str, bound_to: str) -> str:
    """Encrypt a text under the newest key.

    Args:
        text: the secret.
        purpose: what it is, such as `totp`.
        bound_to: the row that keeps it; only `open_sealed` with the same purpose and row can open it.

    Raises:
        KeyFolderError: there is no key.
    """
    key, nonce = get_data_keys().newest(), secrets.token_bytes(NONCE_BYTES)
    ciphertext = _cipher(key, purpose).encrypt(nonce, text.encode(), _associated(purpose, bound_to))
    return sealed_prefix(key.kid) + base64.urlsafe_b64encode(nonce + ciphertext).decode()


def open_sealed(sealed: str, purpose: str, bound_to: str) -> str:
    """Decrypt what `seal` returned for the same purpose and row.

    Raises:
        DataKeyMissing: its key is not in the folder.
        CannotOpen: it was changed, or moved here from another row.
    """
    version, _dot, rest = sealed.partition(".")
    kid, _dot, encoded = rest.partition(".")
    if version != VERSION:
        raise CannotOpen
    key = get_data_keys().find_or_raise(kid)
    try:
        content = base64.urlsafe_b64decode(encoded)
        plain = _cipher(key, purpose).decrypt(
            content[:NONCE_BYTES], content[NONCE_BYTES:], _associated(purpose, bound_to)
        )
    except (InvalidTag, ValueError) as error:
        raise CannotOpen from error
    return plain.decode()


def find_kid(stored: str) -> str:
    """Return the id of the key that a sealed text or an authentication code names."""
    return stored.removeprefix(f"{VERSION}.").partition(".")[0]


def sealed_prefix(kid: str) -> str:
    """Return how every text begins that a key has sealed."""
    return f"{VERSION}.{kid}."


def digest_prefix(kid: str) -> str:
    """Return how every authentication code under a key begins."""
    return f"{kid}."


def authenticate(text: str, purpose: str, bound_to: str) -> str:
    """Return an authentication code of a text under the newest key: `<kid>.<HMAC-SHA-256>`.

    Raises:
        KeyFolderError: there is no key.
    """
    return _code(get_data_keys().newest(), text, purpose, bound_to)


def authenticate_under_each_key(text: str, purpose: str, bound_to: str) -> list[str]:
    """Return every authentication code that `authenticate` has or would have returned for a text.

    Raises:
        KeyFolderError: the folder cannot be read.
    """
    return [_code(key, text, purpose, bound_to) for key in get_data_keys().all()]


def _code(key: DataKey, text: str, purpose: str, bound_to: str) -> str:
    message = _associated(purpose, bound_to) + b"\0" + text.encode()
    digest = hmac.new(_derive(key.material, f"authenticate {purpose}"), message, hashlib.sha256).digest()
    return digest_prefix(key.kid) + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _cipher(key: DataKey, purpose: str) -> AESGCM:
    return AESGCM(_derive(key.material, f"seal {purpose}"))


def _associated(purpose: str, bound_to: str) -> bytes:
    return f"{purpose}:{bound_to}".encode()


@lru_cache(maxsize=64)
def _derive(material: bytes, purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(material)
