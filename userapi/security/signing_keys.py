"""Keys: the folders of keys that sign tokens, and keys derived from SECRET_KEY for other purposes.

ES256 keys sign all tokens, except the ID tokens of clients that cannot verify ES256: those are signed by RSA keys, the
first of which is created with the first such client.
"""

import base64
import hashlib
import hmac
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from flask import Flask, current_app
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from userapi.core import context

from .key_folder import KeyFolder, KeyFolderError

ES256 = ec.ECDSA(hashes.SHA256())

#: The folder of RSA keys, in JWT_KEY_DIR.
RSA_FOLDER = "rsa"

#: The length of new RSA keys, and of the shortest that is loaded, in bits (RFC 7518, section 3.3).
RSA_KEY_SIZE, MIN_RSA_KEY_SIZE = 2048, 2048

#: What identifies a key of each type (RFC 7638, section 3.2).
MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}

#: The key rings of an application, in its `extensions`.
RING, RSA_RING = "userapi-keys", "userapi-rsa-keys"


@dataclass(frozen=True)
class TokenKey:
    """One key that signs tokens.

    Attributes:
        kid: the key id, its RFC 7638 thumbprint.
        name: the file name without `.pem`.
        private: the private key, which signs.
        public: the public key, which verifies.
        jwk: the public key as a JSON Web Key (RFC 7517).
    """

    kid: str
    name: str
    private: Any
    public: Any
    jwk: dict[str, str]


@dataclass(frozen=True)
class SigningKey(TokenKey):
    """One ES256 key."""

    private: ec.EllipticCurvePrivateKey
    public: ec.EllipticCurvePublicKey

    @cached_property
    def header(self) -> bytes:
        """The first segment of every token that it signs."""
        header = {"alg": self.jwk["alg"], "kid": self.kid, "typ": "JWT"}
        return _encode_base64url(orjson.dumps(header))

    def sign(self, claims: bytes) -> str:
        """A JSON Web Token with these claims, given as JSON: what PyJWT makes, in less time (decision 0108).

        The header never changes, so it is encoded once. The signature has the form of RFC 7518, section 3.4.
        """
        signed = self.header + b"." + _encode_base64url(claims)
        r, s = decode_dss_signature(self.private.sign(signed, ES256))
        return (signed + b"." + _encode_base64url(r.to_bytes(32) + s.to_bytes(32))).decode()


@dataclass(frozen=True)
class RsaKey(TokenKey):
    """One RS256 key."""

    private: rsa.RSAPrivateKey
    public: rsa.RSAPublicKey


AnyTokenKey = TypeVar("AnyTokenKey", bound=TokenKey)


def _encode_base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


class TokenKeyRing(KeyFolder[AnyTokenKey]):
    """Keys of one algorithm, a PEM file each. The newest key signs; all keys verify."""

    setting: ClassVar[str] = "JWT_KEY_DIR"
    extension: ClassVar[str] = "pem"

    #: Where the files are in JWT_KEY_DIR.
    prefix: ClassVar[str] = ""

    def generate(self) -> bytes:
        """Return a new private key as PEM."""
        return self.generate_private().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def load(self, name: str, content: bytes) -> AnyTokenKey:
        """Return the key in a PEM file.

        Raises:
            KeyFolderError: it is not a key of this algorithm.
        """
        file = f"{self.setting}: {self.prefix}{name}.{self.extension}"
        try:
            private = serialization.load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFolderError(f"{file} is not an unencrypted PEM private key") from error
        return self.describe(name, private, file)

    @abstractmethod
    def generate_private(self) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
        """Return a new private key."""

    @abstractmethod
    def describe(self, name: str, private: object, file: str) -> AnyTokenKey:
        """Return a private key with its public key.

        Args:
            name: the file name without its extension.
            private: what is in the file.
            file: what an error calls the file.

        Raises:
            KeyFolderError: it is not a key of this algorithm.
        """


class KeyRing(TokenKeyRing[SigningKey]):
    """The ES256 keys."""

    rotate_command: ClassVar[str] = "flask keys rotate"

    def generate_private(self) -> ec.EllipticCurvePrivateKey:
        """Return a new private key."""
        return ec.generate_private_key(ec.SECP256R1())

    def describe(self, name: str, private: object, file: str) -> SigningKey:
        """Return a private key with its public key."""
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise KeyFolderError(f"{file} is not a P-256 key, which ES256 needs")
        public = private.public_key()
        jwk = _publish(ECAlgorithm.to_jwk(public, as_dict=True), "ES256")
        return SigningKey(jwk["kid"], name, private, public, jwk)

    def find_signer(self, token: str) -> SigningKey | None:
        """Return the key whose tokens begin like this one; nothing of it is verified."""
        header = token.partition(".")[0].encode()
        return next((key for key in self.all() if key.header == header), None)


class RsaKeyRing(TokenKeyRing[RsaKey]):
    """The RS256 keys; the folder need not exist."""

    rotate_command: ClassVar[str] = "flask keys rotate --rsa"
    prefix: ClassVar[str] = f"{RSA_FOLDER}/"

    def generate_private(self) -> rsa.RSAPrivateKey:
        """Return a new private key."""
        return rsa.generate_private_key(65537, RSA_KEY_SIZE)

    def describe(self, name: str, private: object, file: str) -> RsaKey:
        """Return a private key with its public key."""
        if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < MIN_RSA_KEY_SIZE:
            raise KeyFolderError(f"{file} is not an RSA key of {MIN_RSA_KEY_SIZE} bits or more, which RS256 needs")
        public = private.public_key()
        jwk = _publish(RSAAlgorithm.to_jwk(public, as_dict=True), "RS256")
        return RsaKey(jwk["kid"], name, private, public, jwk)


def _publish(members: Mapping[str, str], algorithm: str) -> dict[str, str]:
    """A public key as a JSON Web Key with its id."""
    required = {name: members[name] for name in MEMBERS[members["kty"]]}
    return {**required, "kid": compute_thumbprint(required), "alg": algorithm, "use": "sig"}


def compute_thumbprint(jwk: Mapping[str, str]) -> str:
    """Return the JWK thumbprint of a key (RFC 7638, section 3)."""
    required = {name: jwk[name] for name in MEMBERS[jwk["kty"]]}
    digest = hashlib.sha256(orjson.dumps(required, option=orjson.OPT_SORT_KEYS)).digest()
    return _encode_base64url(digest).decode()


def derive_key(purpose: str) -> bytes:
    """Derive 32 bytes from SECRET_KEY for one purpose (HKDF-Expand with one block, RFC 5869)."""
    return _derive_key(str(current_app.config["SECRET_KEY"]), purpose)


@lru_cache(maxsize=64)
def _derive_key(secret: str, purpose: str) -> bytes:
    return hmac.new(secret.encode(), purpose.encode() + b"\x01", hashlib.sha256).digest()


def configure(app: Flask) -> None:
    """Create the key rings of the key folder."""
    folder = Path(app.config["JWT_KEY_DIR"])
    app.extensions[RING] = KeyRing(folder)
    app.extensions[RSA_RING] = RsaKeyRing(folder / RSA_FOLDER)


def get_key_ring() -> KeyRing:
    """Return the ES256 keys of the current application."""
    ring: KeyRing = context.current_application().extensions[RING]
    return ring


def get_rsa_key_ring() -> RsaKeyRing:
    """Return the RS256 keys of the current application."""
    ring: RsaKeyRing = context.current_application().extensions[RSA_RING]
    return ring
