"""S55: malformed credentials are rejected quickly, with the one error of the ceremonies."""

import json
import time
from typing import Any

import pytest
from fido2 import cbor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.authenticator import Authenticator, decode, encode
from userapi.mfa import webauthn
from userapi.mfa.credentials import CeremonyError, read_assertion

PARTY = webauthn.RelyingParty("localhost", frozenset(["http://localhost:8000"]))
CREATION = {
    "challenge": encode(b"c" * 56),
    "rp": {"id": "localhost"},
    "user": {"id": encode(b"h" * 64)},
    "pubKeyCredParams": [{"alg": -7}],
}
REQUEST = {"challenge": encode(b"c" * 56)}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
VALUES = JSON | st.binary(max_size=300).map(encode) | st.just("\ud800") | st.just("A") | st.just("é") | st.just("==")
ANY_TIME = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


class Stored:
    """What the service stored."""

    backup_eligible = user_verified = True
    handle = b"h" * 64

    def __init__(self, public_key: bytes) -> None:
        self.public_key = public_key


def register(credential: Any) -> webauthn.NewPasskey:
    return webauthn.verify_registration(credential, PARTY, lambda challenge: challenge == b"c" * 56)


def make_pair() -> tuple[dict[str, Any], dict[str, Any], Stored]:
    """A valid registration, a valid assertion, and what is stored of the passkey."""
    authenticator = Authenticator("http://localhost:8000")
    registration = authenticator.create(CREATION)
    return registration, authenticator.get(REQUEST), Stored(register(registration).public_key)


REGISTRATION, ASSERTION, STORED = make_pair()


def use(credential: Any, stored: Stored = STORED) -> webauthn.Flags:
    return webauthn.verify_assertion(
        read_assertion(credential), stored, PARTY, lambda challenge: True, is_only_proof=True
    )


def is_rejected(credential: Any, act: Any) -> bool:
    """Whether a credential is rejected by the one error; any other error fails the test."""
    started = time.monotonic()
    try:
        act(credential)
    except CeremonyError:
        return True
    finally:
        assert time.monotonic() - started < 1
    return False


def replace(credential: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of a credential with one member replaced: `response.signature`."""
    copy = json.loads(json.dumps(credential))
    outer, _dot, inner = path.rpartition(".")
    (copy[outer] if outer else copy)[inner] = value
    return dict(copy)


def test_the_pair_is_valid() -> None:
    assert not is_rejected(REGISTRATION, register)
    assert not is_rejected(ASSERTION, use)


@ANY_TIME
@given(value=VALUES)
def test_S55_anything_in_the_place_of_a_credential_is_rejected(value: Any) -> None:
    assert is_rejected(value, register)
    assert is_rejected(value, use)


@ANY_TIME
@given(
    path=st.sampled_from(["id", "type", "response", "response.clientDataJSON", "response.attestationObject"]),
    value=VALUES,
)
def test_S55_a_registration_with_a_wrong_member_is_rejected(path: str, value: Any) -> None:
    assert is_rejected(replace(REGISTRATION, path, value), register)


@ANY_TIME
@given(
    path=st.sampled_from(
        ["id", "type", "response", "response.clientDataJSON", "response.authenticatorData", "response.signature"]
    ),
    value=VALUES,
)
def test_S55_an_assertion_with_a_wrong_member_is_rejected(path: str, value: Any) -> None:
    assert is_rejected(replace(ASSERTION, path, value), lambda changed: use(changed))


@ANY_TIME
@given(value=JSON | st.dictionaries(st.sampled_from(["type", "challenge", "origin", "crossOrigin"]), JSON))
def test_S55_any_client_data_is_rejected(value: Any) -> None:
    sent = encode(json.dumps(value).encode("utf-8", "surrogatepass"))

    assert is_rejected(replace(REGISTRATION, "response.clientDataJSON", sent), register)
    assert is_rejected(replace(ASSERTION, "response.clientDataJSON", sent), use)


@ANY_TIME
@given(raw=st.binary(max_size=400))
def test_S55_any_attestation_object_is_rejected(raw: bytes) -> None:
    assert is_rejected(replace(REGISTRATION, "response.attestationObject", encode(raw)), register)


@ANY_TIME
@given(
    key=st.dictionaries(
        st.sampled_from([1, 3, -1, -2, -3]),
        st.integers(-70000, 10) | st.binary(max_size=66) | st.booleans() | st.lists(st.integers(0, 255), max_size=33),
    )
)
def test_S55_any_public_key_is_rejected(key: dict[int, Any]) -> None:
    credential = Authenticator("http://localhost:8000").create(CREATION, cose=key)

    assert is_rejected(credential, register)


def test_S55_a_credential_cut_at_any_byte_is_rejected() -> None:
    attestation = decode(REGISTRATION["response"]["attestationObject"])
    data = decode(ASSERTION["response"]["authenticatorData"])
    client_data = decode(REGISTRATION["response"]["clientDataJSON"])

    for length in range(len(attestation)):
        cut = replace(REGISTRATION, "response.attestationObject", encode(attestation[:length]))
        assert is_rejected(cut, register), length
    for length in range(len(client_data)):
        assert is_rejected(replace(REGISTRATION, "response.clientDataJSON", encode(client_data[:length])), register), (
            length
        )
    for length in range(len(data)):
        assert is_rejected(replace(ASSERTION, "response.authenticatorData", encode(data[:length])), use), length


DEEP = b"\x81" * 5000 + b"\x00"
LONG = b"\xff" * 8


@pytest.mark.parametrize(
    "raw",
    [
        DEEP,
        b"\xa1" * 5000,
        b"\x9b" + LONG,
        b"\xbb" + LONG,
        b"\x5b" + LONG,
        b"\xa1\x63fmt\x9b" + LONG + b"\x00" * 12_000,
        cbor.encode({"fmt": "none", "attStmt": {}, "authData": 2**40}),
        cbor.encode({"fmt": "none", "attStmt": {}, "authData": "text"}),
        cbor.encode({"fmt": "none", "attStmt": {}}),
        cbor.encode([1]),
        b"",
    ],
    ids=["deep lists", "deep maps", "list", "map", "bytes", "zeros", "number", "text", "no data", "a list", "empty"],
)
def test_S55_hostile_cbor_is_rejected(raw: bytes) -> None:
    assert is_rejected(replace(REGISTRATION, "response.attestationObject", encode(raw)), register)


def test_S55_trailing_bytes_are_rejected() -> None:
    attestation = decode(REGISTRATION["response"]["attestationObject"])
    data = decode(ASSERTION["response"]["authenticatorData"])

    assert is_rejected(replace(REGISTRATION, "response.attestationObject", encode(attestation + b"\x00")), register)
    assert is_rejected(replace(ASSERTION, "response.authenticatorData", encode(data + b"\x00")), use)


@pytest.mark.parametrize("path", ["id", "response.clientDataJSON", "response.attestationObject"])
def test_S55_a_megabyte_in_a_registration_is_rejected(path: str) -> None:
    assert is_rejected(replace(REGISTRATION, path, "A" * 1024 * 1024), register)


@pytest.mark.parametrize(
    "path", ["id", "response.clientDataJSON", "response.authenticatorData", "response.signature", "response.userHandle"]
)
def test_S55_a_megabyte_in_an_assertion_is_rejected(path: str) -> None:
    assert is_rejected(replace(ASSERTION, path, "A" * 1024 * 1024), use)


def test_S55_deeply_nested_client_data_is_rejected() -> None:
    sent = encode(b"[" * 2000 + b"]" * 2000)

    assert is_rejected(replace(REGISTRATION, "response.clientDataJSON", sent), register)
