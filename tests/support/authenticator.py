"""A passkey authenticator with the browser around it, in which every flag, counter, key and byte can be set."""

import base64
import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fido2 import cbor
from fido2.cose import ES256, RS256, EdDSA

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Base64url without padding, decoded."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Passkey:
    """A key pair that the authenticator keeps."""

    private: Any
    algorithm: int
    credential_id: bytes
    rp_id: str
    user_handle: bytes
    sign_count: int = 0
    flags: int = UP | UV | BE | BS

    @property
    def cose(self) -> dict[int, Any]:
        """The public key as a COSE_Key."""
        kinds: dict[int, Any] = {-7: ES256, -8: EdDSA, -257: RS256}
        return dict(kinds[self.algorithm].from_cryptography_key(self.private.public_key()))

    def sign(self, message: bytes) -> bytes:
        """Sign a message as the algorithm does."""
        if self.algorithm == -7:
            return bytes(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        if self.algorithm == -8:
            return bytes(self.private.sign(message))
        return bytes(self.private.sign(message, padding.PKCS1v15(), hashes.SHA256()))


def make_key(algorithm: int, rsa_bits: int = 2048) -> Any:
    """A new private key."""
    if algorithm == -7:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == -8:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, rsa_bits)


@dataclass
class Authenticator:
    """Responds to options as `navigator.credentials` does.

    Attributes:
        origin: of the page that it is used on.
        flags: of new passkeys.
    """

    origin: str
    flags: int = UP | UV | BE | BS
    passkeys: list[Passkey] = field(default_factory=list)

    def create(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Make a passkey and return its `RegistrationResponseJSON`.

        Args:
            options: `publicKey` of the service.
            changes: `algorithm`, `private`, `flags`, `sign_count`, `credential_id`, `cose`, `rp_id`, `attestation`
                (format and statement), `authenticator_data` and `attestation_object` (functions that change them), and
                what `_client_data` reads.
        """
        algorithm = changes.get("algorithm", options["pubKeyCredParams"][0]["alg"])
        passkey = Passkey(
            changes.get("private") or make_key(algorithm),
            algorithm,
            changes.get("credential_id", os.urandom(32)),
            changes.get("rp_id", options["rp"]["id"]),
            decode(options["user"]["id"]),
            changes.get("sign_count", 0),
            changes.get("flags", self.flags),
        )
        self.passkeys.append(passkey)
        cose = changes.get("cose", passkey.cose)
        key = cose if isinstance(cose, bytes) else cbor.encode(cose)
        attested = bytes(16) + struct.pack(">H", len(passkey.credential_id)) + passkey.credential_id + key
        data = _authenticator_data(passkey, passkey.flags | AT) + attested
        data = changes.get("authenticator_data", bytes)(data)
        kind, statement = changes.get("attestation", ("none", {}))
        attestation = cbor.encode({"fmt": kind, "attStmt": statement, "authData": data})
        return {
            "id": encode(passkey.credential_id),
            "rawId": encode(passkey.credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "response": {
                "clientDataJSON": encode(self._client_data("webauthn.create", options, changes)),
                "attestationObject": encode(changes.get("attestation_object", bytes)(attestation)),
                "transports": ["internal", "hybrid"],
            },
            "clientExtensionResults": {"credProps": {"rk": changes.get("discoverable", True)}},
        }

    def get(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Use a passkey and return its `AuthenticationResponseJSON`.

        Args:
            options: `publicKey` of the service.
            changes: `passkey` (the newest that is allowed by default), `flags`, `sign_count`, `rp_id`, `user_handle`
                (None leaves it out), `authenticator_data` and `signature` (functions that change them), and what
                `_client_data` reads.
        """
        passkey = changes.get("passkey") or self._find(options)
        if passkey.sign_count:
            passkey.sign_count += 1
        data = _authenticator_data(
            passkey, changes.get("flags", passkey.flags), changes.get("rp_id"), changes.get("sign_count")
        )
        data = changes.get("authenticator_data", bytes)(data)
        client_data = self._client_data("webauthn.get", options, changes)
        signature = passkey.sign(data + hashlib.sha256(client_data).digest())
        handle = changes.get("user_handle", passkey.user_handle)
        return {
            "id": encode(passkey.credential_id),
            "rawId": encode(passkey.credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "response": {
                "clientDataJSON": encode(client_data),
                "authenticatorData": encode(data),
                "signature": encode(changes.get("signature", bytes)(signature)),
                "userHandle": None if handle is None else encode(handle),
            },
            "clientExtensionResults": {},
        }

    def _find(self, options: dict[str, Any]) -> Passkey:
        allowed = {decode(entry["id"]) for entry in options.get("allowCredentials") or []}
        fitting = [passkey for passkey in self.passkeys if not allowed or passkey.credential_id in allowed]
        return fitting[-1]

    def _client_data(self, kind: str, options: dict[str, Any], changes: dict[str, Any]) -> bytes:
        """What the browser says about the page.

        Args:
            kind: the type of the ceremony.
            options: `publicKey` of the service.
            changes: `type`, `challenge`, `origin`, and `client_data` with more members.
        """
        content = {
            "type": changes.get("type", kind),
            "challenge": changes.get("challenge", options["challenge"]),
            "origin": changes.get("origin", self.origin),
            "crossOrigin": False,
            **changes.get("client_data", {}),
        }
        return json.dumps(content, separators=(",", ":")).encode()


def _authenticator_data(passkey: Passkey, flags: int, rp_id: str | None = None, sign_count: int | None = None) -> bytes:
    counter = passkey.sign_count if sign_count is None else sign_count
    return hashlib.sha256((rp_id or passkey.rp_id).encode()).digest() + struct.pack(">BI", flags, counter)
