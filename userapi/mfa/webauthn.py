"""The two ceremonies of passkeys, registration and authentication (WebAuthn Level 3, sections 7.1 and 7.2).

These are pure functions of what a browser sent. The library fido2 parses authenticator data and verifies signatures; it
is imported when the first passkey is used. Attestation statements are not read, so no certificate is parsed.
"""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature

from . import public_keys
from .credentials import (
    MAX_ATTESTATION_OBJECT,
    MAX_AUTHENTICATOR_DATA,
    MAX_CLIENT_DATA,
    Assertion,
    CeremonyError,
    decode,
    only_ceremony_errors,
    read_client_data,
    read_credential,
    read_discoverable,
    read_transports,
    require,
)

#: A function that says whether this service issued a challenge, and for this use.
ChallengeCheck = Callable[[bytes], bool]


@dataclass(frozen=True)
class RelyingParty:
    """The site that passkeys belong to.

    Attributes:
        id: its RP ID, a host name.
        origins: where its pages may be, exactly as browsers write them.
    """

    id: str
    origins: frozenset[str]


@dataclass(frozen=True)
class Flags:
    """The state that the authenticator signed (section 6.1).

    Attributes:
        user_verified: whether it checked a PIN or biometrics for this response.
        backup_eligible: whether the passkey can be synced.
        backed_up: whether it is.
        sign_count: its counter of signatures; 0 if it has none.
    """

    user_verified: bool
    backup_eligible: bool
    backed_up: bool
    sign_count: int


@dataclass(frozen=True)
class NewPasskey:
    """A verified registration.

    Attributes:
        challenge: that it responds to.
        public_key: a COSE_Key (RFC 9052, section 7) with only the parameters that its algorithm needs.
        discoverable: whether the authenticator finds it without its ID; None if the browser did not say.
    """

    challenge: bytes
    credential_id: bytes
    public_key: bytes
    algorithm: int
    aaguid: uuid.UUID
    flags: Flags
    transports: tuple[str, ...]
    discoverable: bool | None


class KnownPasskey(Protocol):
    """What the service stored about a passkey.

    Attributes:
        user_verified: whether it was ever used with a PIN or biometrics, at its registration or since.
        handle: the user handle of its account.
    """

    @property
    def public_key(self) -> bytes: ...
    @property
    def backup_eligible(self) -> bool: ...
    @property
    def user_verified(self) -> bool: ...
    @property
    def handle(self) -> bytes: ...


@only_ceremony_errors()
def verify_registration(credential: object, party: RelyingParty, is_ours: ChallengeCheck) -> NewPasskey:
    """Verify the response to a request for a new passkey (section 7.1).

    Args:
        credential: `RegistrationResponseJSON` (section 5.1) as parsed from the body.
        party: the site.
        is_ours: whether a challenge is one that the service issued for this registration.

    Raises:
        CeremonyError: it is malformed or fails a check.
    """
    _credential_id, response = read_credential(credential)
    client_data = decode(response["clientDataJSON"], MAX_CLIENT_DATA)
    challenge = _check_client_data(client_data, "webauthn.create", party, is_ours)
    return _read_new_passkey(credential, party.id, challenge)


@only_ceremony_errors()
def read_registration(credential: object, rp_id: str) -> NewPasskey:
    """Read a registration that another service verified for the same site, and stored.

    Args:
        credential: `RegistrationResponseJSON` (section 5.1); neither its challenge nor its origin is checked.
        rp_id: the host name that the passkey has to belong to.

    Raises:
        CeremonyError: it is malformed or fails a check.
    """
    return _read_new_passkey(credential, rp_id, b"")


@only_ceremony_errors()
def verify_assertion(
    assertion: Assertion, passkey: KnownPasskey, party: RelyingParty, is_ours: ChallengeCheck, *, is_only_proof: bool
) -> Flags:
    """Verify an assertion with the stored passkey (section 7.2), except its counter, which the database compares.

    Args:
        assertion: as parsed.
        passkey: the one that it names.
        party: the site.
        is_ours: whether a challenge is one that the service issued for this use.
        is_only_proof: whether there was no password. Then a PIN or biometrics are required, and the user handle, which
            names the account.

    Raises:
        CeremonyError: it fails a check.
    """
    _check_client_data(assertion.client_data, "webauthn.get", party, is_ours)
    flags = _check_authenticator_data(_parse_authenticator_data(assertion.authenticator_data), party.id)
    try:
        public_keys.verify(
            passkey.public_key,
            assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest(),
            assertion.signature,
        )
    except InvalidSignature as error:
        raise CeremonyError("wrong signature") from error
    require(flags.backup_eligible == passkey.backup_eligible, "backup eligibility has changed")
    require(assertion.user_handle in (passkey.handle, None), "user handle of another account")
    if is_only_proof:
        require(assertion.user_handle is not None, "no user handle")
        require(flags.user_verified, "user not verified")
        require(passkey.user_verified, "user verification was never proven with a second factor")
    return flags


def _read_new_passkey(credential: Any, rp_id: str, challenge: bytes) -> NewPasskey:
    credential_id, response = read_credential(credential)
    attestation = decode(response["attestationObject"], MAX_ATTESTATION_OBJECT)
    data = _parse_authenticator_data(_authenticator_data_of(attestation))
    flags = _check_authenticator_data(data, rp_id)
    attested = data.credential_data
    require(attested is not None, "no new key")
    require(attested.credential_id == credential_id, "another credential ID was signed")
    algorithm, public_key = public_keys.read(attested.public_key)
    return NewPasskey(
        challenge=challenge,
        credential_id=credential_id,
        public_key=public_key,
        algorithm=algorithm,
        aaguid=uuid.UUID(bytes=bytes(attested.aaguid)),
        flags=flags,
        transports=read_transports(response.get("transports")),
        discoverable=read_discoverable(credential),
    )


def _check_client_data(raw: bytes, kind: str, party: RelyingParty, is_ours: ChallengeCheck) -> bytes:
    """Check what the browser says about the page; the challenge (section 5.8.1)."""
    content = read_client_data(raw)
    require(content["type"] == kind, "another ceremony")
    challenge = decode(content["challenge"], MAX_CLIENT_DATA)
    require(is_ours(challenge), "invalid challenge")
    require(content["origin"] in party.origins, "another origin")
    require(content.get("crossOrigin", False) is False and "topOrigin" not in content, "in a frame of another site")
    return challenge


def _authenticator_data_of(attestation_object: bytes) -> bytes:
    from fido2 import cbor

    content: Any = cbor.decode(attestation_object)
    data = content["authData"]
    # A number would make fido2 allocate that many bytes.
    if not isinstance(data, bytes) or len(data) > MAX_AUTHENTICATOR_DATA or not isinstance(content["fmt"], str):
        raise CeremonyError("malformed attestation object")
    return data


def _parse_authenticator_data(raw: bytes) -> Any:
    from fido2.webauthn import AuthenticatorData

    return AuthenticatorData(raw)


def _check_authenticator_data(data: Any, rp_id: str) -> Flags:
    require(data.rp_id_hash == hashlib.sha256(rp_id.encode()).digest(), "another RP ID")
    flags = data.flags
    require(bool(flags & data.FLAG.UP), "user not present")
    backup_eligible, backed_up = bool(flags & data.FLAG.BE), bool(flags & data.FLAG.BS)
    require(backup_eligible or not backed_up, "backed up but not eligible")
    return Flags(bool(flags & data.FLAG.UV), backup_eligible, backed_up, data.counter)
