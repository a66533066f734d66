"""Keys: the folder of ES256 keys that sign tokens, and purposes derived from the one secret.

A key is a PEM file, `<UTC time>.pem`. The newest signs; all verify. A key that another worker has just made is found
when a token names it, so all agree at once and nobody restarts.
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

#: At most one look into the folder in this many seconds, however many unknown keys are named.
LOOK_AGAIN = 1.0

#: The folder is read again after this many seconds, so that a retired key stops verifying.
KEEP = 30.0


class KeyProblem(Exception):
    """The key folder cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """One ES256 key.

    Attributes:
        kid: its RFC 7638 thumbprint.
        name: the file's name without `.pem`.
        private: signs.
        public: verifies.
        jwk: the public half as a JSON Web Key (RFC 7517).
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
        """Every key, the newest first.

        Raises:
            KeyProblem: when the folder cannot be read or holds something else.
        """
        return list(self._fresh(KEEP).values())

    def newest(self) -> SigningKey:
        """The key that signs.

        Raises:
            KeyProblem: when there is none.
        """
        keys = self.all() or list(self._fresh(0).values())
        if not keys:
            raise KeyProblem(f"JWT_KEY_DIR: There is no key in {self.folder}. To create one, run `flask keys rotate`.")
        return keys[0]

    def find(self, kid: object) -> SigningKey | None:
        """The key a token names, looked for again on disk when it is new."""
        if not isinstance(kid, str):
            return None
        return self._fresh(KEEP).get(kid) or self._fresh(LOOK_AGAIN).get(kid)

    def add(self) -> SigningKey:
        """Make a key that signs from now on.

        Raises:
            KeyProblem: when the folder cannot be written.
        """
        key = self.prepare()
        self.publish(key)
        return key

    def prepare(self) -> SigningKey:
        """Make a key that nobody knows yet; its file is readable by the owner alone.

        Raises:
            KeyProblem: when the folder cannot be written.
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
            raise KeyProblem(f"JWT_KEY_DIR: Cannot write to {self.folder}: {error.strerror}") from error
        return _signing_key(name, pem)

    def publish(self, key: SigningKey) -> None:
        """Let a prepared key sign from now on.

        Raises:
            KeyProblem: when the folder cannot be written.
        """
        try:
            (self.folder / f".{key.name}.new").rename(self.folder / f"{key.name}.pem")
        except OSError as error:
            raise KeyProblem(f"JWT_KEY_DIR: Cannot write to {self.folder}: {error.strerror}") from error
        self._fresh(0)

    def made_at(self, key: SigningKey) -> datetime:
        """When a key was made, as its file has it.

        Raises:
            OSError: the key is gone.
        """
        return datetime.fromtimestamp((self.folder / f"{key.name}.pem").stat().st_mtime, UTC)

    def remove(self, name: str) -> None:
        """Delete a key: no worker takes it for longer than KEEP.

        Raises:
            KeyProblem: when the folder cannot be written.
        """
        try:
            (self.folder / f"{name}.pem").unlink(missing_ok=True)
        except OSError as error:
            raise KeyProblem(f"JWT_KEY_DIR: Cannot write to {self.folder}: {error.strerror}") from error
        self._fresh(0)

    def _fresh(self, age: float) -> Mapping[str, SigningKey]:
        if time.monotonic() - self._read_at >= age:
            with self._lock:
                self._keys = self._read_again()
                self._read_at = time.monotonic()
        return self._keys

    def _read_again(self) -> Mapping[str, SigningKey]:
        """The keys as they are now; those known before, while a file is half written or the folder away."""
        try:
            return {key.kid: key for key in self._read()}
        except KeyProblem as problem:
            if not self._keys:
                raise
            log.error("key folder unusable, using the keys loaded before", extra={"error": str(problem)})
            return self._keys

    def _read(self) -> list[SigningKey]:
        try:
            paths = sorted(self.folder.glob("*.pem"), reverse=True)
            return [_signing_key(path.stem, path.read_bytes()) for path in paths]
        except OSError as error:
            raise KeyProblem(f"JWT_KEY_DIR: Cannot read {error.filename}: {error.strerror}") from error


def _signing_key(name: str, pem: bytes) -> SigningKey:
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyProblem(f"JWT_KEY_DIR: {name}.pem is not an unencrypted PEM private key") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise KeyProblem(f"JWT_KEY_DIR: {name}.pem is not a P-256 key, which ES256 needs")
    public = private.public_key()
    members: dict[str, str] = ECAlgorithm.to_jwk(public, as_dict=True)
    kid = thumbprint(members)
    return SigningKey(kid, name, private, public, {**members, "kid": kid, "alg": "ES256", "use": "sig"})


def thumbprint(jwk: Mapping[str, str]) -> str:
    """The JWK thumbprint of an elliptic-curve key (RFC 7638, section 3)."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(orjson.dumps(required, option=orjson.OPT_SORT_KEYS)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def derived_key(purpose: str) -> bytes:
    """32 bytes of the application's secret for one purpose alone (HKDF-Expand with one block, RFC 5869)."""
    return _derived_key(str(current_app.config["SECRET_KEY"]), purpose)


@lru_cache(maxsize=64)
def _derived_key(secret: str, purpose: str) -> bytes:
    return hmac.new(secret.encode(), purpose.encode() + b"\x01", hashlib.sha256).digest()


def configure(app: Flask) -> None:
    """Open the key folder."""
    app.extensions["userapi-keys"] = KeyRing(Path(app.config["JWT_KEY_DIR"]))


def keys() -> KeyRing:
    """The key ring of the present application."""
    ring: KeyRing = current_app.extensions["userapi-keys"]
    return ring
