"""What a browser sends of a passkey, as JSON (WebAuthn Level 3, section 5.1): parsed strictly, and not yet verified."""

import base64
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm

#: The maximum sizes of what a browser sends, in bytes. They are checked before anything is parsed.
MAX_CREDENTIAL_ID = 1023
MAX_USER_HANDLE = 64
MAX_CLIENT_DATA = 4096
MAX_AUTHENTICATOR_DATA = 4096
MAX_ATTESTATION_OBJECT = 16_384
MAX_SIGNATURE = 1024

#: How a browser can reach an authenticator (section 5.8.4). Other values are ignored.
TRANSPORTS = ("usb", "nfc", "ble", "smart-card", "hybrid", "internal")

BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)

#: What parsers of bytes and keys raise for malformed input.
PARSER_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
    UnsupportedAlgorithm,
)


class CeremonyError(Exception):
    """A credential fails a check. The text names the check, for logs; it quotes nothing that was sent."""


@dataclass(frozen=True)
class Assertion:
    """The response of an authenticator at a sign-in or proof, parsed but not verified."""

    credential_id: bytes
    user_handle: bytes | None
    client_data: bytes
    authenticator_data: bytes
    signature: bytes

    @property
    def challenge(self) -> bytes:
        """The challenge that it responds to."""
        return decode(read_client_data(self.client_data).get("challenge"), MAX_CLIENT_DATA)


@contextmanager
def only_ceremony_errors() -> Iterator[None]:
    """Turn what parsers raise for malformed input into one error."""
    try:
        yield
    except PARSER_ERRORS as error:
        raise CeremonyError(f"malformed ({type(error).__name__})") from error


@only_ceremony_errors()
def read_assertion(credential: object) -> Assertion:
    """Parse `AuthenticationResponseJSON` (section 5.1), so that its passkey can be looked up.

    Raises:
        CeremonyError: it is malformed.
    """
    credential_id, response = read_credential(credential)
    handle = response.get("userHandle")
    assertion = Assertion(
        credential_id=credential_id,
        user_handle=None if handle is None else decode(handle, MAX_USER_HANDLE),
        client_data=decode(response["clientDataJSON"], MAX_CLIENT_DATA),
        authenticator_data=decode(response["authenticatorData"], MAX_AUTHENTICATOR_DATA),
        signature=decode(response["signature"], MAX_SIGNATURE),
    )
    require(bool(assertion.challenge), "no challenge")
    return assertion


def require(condition: bool, reason: str) -> None:
    if not condition:
        raise CeremonyError(reason)


def read_credential(credential: object) -> tuple[bytes, Mapping[str, Any]]:
    """The ID and the response of a public key credential in JSON."""
    if not isinstance(credential, dict) or not isinstance(credential.get("response"), dict):
        raise CeremonyError("not a credential")
    require(credential.get("type") == "public-key", "not a public key credential")
    require(credential.get("rawId", credential["id"]) == credential["id"], "two different credential IDs")
    credential_id = decode(credential["id"], MAX_CREDENTIAL_ID)
    require(bool(credential_id), "credential ID of a wrong length")
    return credential_id, credential["response"]


def decode(value: object, most: int) -> bytes:
    """Decode base64url without padding (RFC 4648, section 5), at most `most` bytes."""
    if not isinstance(value, str) or len(value) > (most * 4 + 2) // 3 or not BASE64URL.fullmatch(value):
        raise CeremonyError("not base64url, or too long")
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def read_client_data(raw: bytes) -> dict[str, Any]:
    content = orjson.loads(raw)
    if not isinstance(content, dict):
        raise CeremonyError("client data is not an object")
    return content


def read_transports(value: object) -> tuple[str, ...]:
    sent = value if isinstance(value, list) else []
    return tuple(transport for transport in TRANSPORTS if transport in sent)


def read_discoverable(credential: Any) -> bool | None:
    """What the browser says about `credProps.rk` (section 10.1.3)."""
    outputs = credential.get("clientExtensionResults")
    properties = outputs.get("credProps") if isinstance(outputs, dict) else None
    value = properties.get("rk") if isinstance(properties, dict) else None
    return value if isinstance(value, bool) else None
