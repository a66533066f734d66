"""Keys: the folder of ES256 keys that sign tokens, and keys derived from SECRET_KEY for other purposes.

Each key is a PEM file, `<UTC time>.pem`. The newest key signs; all keys verify. A worker reads the folder again when a
token names an unknown key, so keys that another worker has created work immediately and without a restart.
"""

import base64
import hashlib
import hmac
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, current_app
from jwt.algorithms import ECAlgorithm

from userapi.core import clock

log = logging.getLogger(__name__)

#: The minimum number of seconds between two reads of the folder, regardless of how many unknown keys tokens name.
MIN_RELOAD_SECONDS = 1.0

#: The folder is read again after this many seconds, so that retired keys stop verifying.
CACHE_SECONDS = 30.0


class KeyFolderError(Exception):
    """The key folder cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """One ES256 key.

    Attributes:
        kid: the key id, its RFC 7638 thumbprint.
        name: the file name without `.pem`.
        private: the private key, which signs.
        public: the public key, which verifies.
        jwk: the public key as a JSON Web Key (RFC 7517).
    """

    kid: str
    name: str
    private: ec.EllipticCurvePrivateKey
    public: ec.EllipticCurvePublicKey
    jwk: dict[str, str]


class KeyRing:
    """The keys of a folder.

    Args:
        folder: where the PEM files are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._keys: Mapping[str, SigningKey] = {}
        self._read_at = float("-inf")

    def all(self) -> list[SigningKey]:
        """Return all keys, newest first.

        Raises:
            KeyFolderError: the folder cannot be read or contains other files.
        """
        return list(self._load_if_older(CACHE_SECONDS).values())

    def newest(self) -> SigningKey:
        """Return the key that signs.

        Raises:
            KeyFolderError: there is no key.
        """
        keys = self.all() or list(self._load_if_older(0).values())
        if not keys:
            raise KeyFolderError(
                f"JWT_KEY_DIR: There is no key in {self.folder}. To create one, run `flask keys rotate`."
            )
        return keys[0]

    def find(self, kid: object) -> SigningKey | None:
        """Return the key with an id; read the folder again if the id is unknown."""
        if not isinstance(kid, str):
            return None
        return self._load_if_older(CACHE_SECONDS).get(kid) or self._load_if_older(MIN_RELOAD_SECONDS).get(kid)

    def add(self) -> SigningKey:
        """Create a key and let it sign from now on.

        Raises:
            KeyFolderError: the folder cannot be written.
        """
        key = self.prepare()
        self.publish(key)
        return key

    def prepare(self) -> SigningKey:
        """Create a key that no worker reads before `publish`; only the owner of its file can read it.

        Raises:
            KeyFolderError: the folder cannot be written.
        """
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        name = clock.now().strftime("%Y%m%dT%H%M%S%fZ")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = self.folder / f".{name}.new"
            descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
        except OSError as error:
            raise KeyFolderError(f"JWT_KEY_DIR: Cannot write to {self.folder}: {error.strerror}") from error
        return _load_signing_key(name, pem)

    def publish(self, key: SigningKey) -> None:
        """Let a prepared key sign from now on.

        Raises:
            KeyFolderError: the folder cannot be written.
        """
        try:
            (self.folder / f".{key.name}.new").rename(self.folder / f"{key.name}.pem")
        except OSError as error:
            raise KeyFolderError(f"JWT_KEY_DIR: Cannot write to {self.folder}: {error.strerror}") from error
        self._load_if_older(0)

    def created_at(self, key: SigningKey) -> datetime:
        """Return when a key was created, from the time of its file.

        Raises:
            OSError: the file does not exist.
        """
        return datetime.fromtimestamp((self.folder / f"{key.name}.pem").stat().st_mtime, UTC)

    def remove(self, name: str) -> None:
        """Delete a key. Other workers accept it for at most `CACHE_SECONDS` longer.

        Raises:
            KeyFolderError: the folder cannot be written.
        """
        try:
            (self.folder / f"{name}.pem").unlink(missing_ok=True)
        except OSError as error:
            raise KeyFolderError(f"JWT_KEY_DIR: Cannot write to {self.folder}: {error.strerror}") from error
        self._load_if_older(0)

    def _load_if_older(self, age: float) -> Mapping[str, SigningKey]:
        if time.monotonic() - self._read_at >= age:
            with self._lock:
                self._keys = self._reload()
                self._read_at = time.monotonic()
        return self._keys

    def _reload(self) -> Mapping[str, SigningKey]:
        """Read the folder; keep the loaded keys if it cannot be read or a file is incomplete."""
        try:
            return {key.kid: key for key in self._read_folder()}
        except KeyFolderError as problem:
            if not self._keys:
                raise
            log.error("key folder unusable, using the keys loaded before", extra={"error": str(problem)})
            return self._keys

    def _read_folder(self) -> list[SigningKey]:
        try:
            paths = sorted(self.folder.glob("*.pem"), reverse=True)
            return [_load_signing_key(path.stem, path.read_bytes()) for path in paths]
        except OSError as error:
            raise KeyFolderError(f"JWT_KEY_DIR: Cannot read {error.filename}: {error.strerror}") from error


def _load_signing_key(name: str, pem: bytes) -> SigningKey:
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFolderError(f"JWT_KEY_DIR: {name}.pem is not an unencrypted PEM private key") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise KeyFolderError(f"JWT_KEY_DIR: {name}.pem is not a P-256 key, which ES256 needs")
    public = private.public_key()
    members: dict[str, str] = ECAlgorithm.to_jwk(public, as_dict=True)
    kid = compute_thumbprint(members)
    return SigningKey(kid, name, private, public, {**members, "kid": kid, "alg": "ES256", "use": "sig"})


def compute_thumbprint(jwk: Mapping[str, str]) -> str:
    """Return the JWK thumbprint of an elliptic-curve key (RFC 7638, section 3)."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(orjson.dumps(required, option=orjson.OPT_SORT_KEYS)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def derive_key(purpose: str) -> bytes:
    """Derive 32 bytes from SECRET_KEY for one purpose (HKDF-Expand with one block, RFC 5869)."""
    return _derive_key(str(current_app.config["SECRET_KEY"]), purpose)


@lru_cache(maxsize=64)
def _derive_key(secret: str, purpose: str) -> bytes:
    return hmac.new(secret.encode(), purpose.encode() + b"\x01", hashlib.sha256).digest()


def configure(app: Flask) -> None:
    """Create the key ring of the key folder."""
    app.extensions["userapi-keys"] = KeyRing(Path(app.config["JWT_KEY_DIR"]))


def get_key_ring() -> KeyRing:
    """Return the key ring of the current application."""
    ring: KeyRing = current_app.extensions["userapi-keys"]
    return ring
