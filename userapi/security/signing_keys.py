"""Keys: the folder of ES256 keys that sign tokens, and keys derived from SECRET_KEY for other purposes."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, current_app
from jwt.algorithms import ECAlgorithm

from .key_folder import KeyFolder, KeyFolderError


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


class KeyRing(KeyFolder[SigningKey]):
    """The signing keys, a PEM file each. The newest key signs; all keys verify."""

    setting: ClassVar[str] = "JWT_KEY_DIR"
    rotate_command: ClassVar[str] = "flask keys rotate"
    extension: ClassVar[str] = "pem"

    def generate(self) -> bytes:
        """Return a new private key as PEM."""
        return ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def load(self, name: str, content: bytes) -> SigningKey:
        """Return the key in a PEM file.

        Raises:
            KeyFolderError: it is not a P-256 key.
        """
        return _load_signing_key(name, content)


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
