"""The test vectors of Web Authentication Level 3, section 16."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.authenticator import encode
from userapi.mfa import webauthn
from userapi.mfa.credentials import CeremonyError, read_assertion

DOCUMENT = json.loads(Path(__file__).with_name("webauthn_vectors.json").read_text())
PAIRS: dict[str, Any] = {pair["name"]: pair for pair in DOCUMENT["pairs"]}
PARTY = webauthn.RelyingParty(DOCUMENT["rp_id"], frozenset([DOCUMENT["origin"]]))

IN_A_FRAME = {"none-es256-crossOrigin", "none-es256-topOrigin"}
OTHER_ALGORITHMS = {"packed-es384", "packed-es512", "packed-ed448"}


@dataclass
class Stored:
    """What the service would store."""

    public_key: bytes
    backup_eligible: bool
    user_verified: bool = True
    handle: bytes = b"handle"


def credential(pair: dict[str, Any], part: str) -> dict[str, Any]:
    members = {name: encode(bytes.fromhex(value)) for name, value in pair[part].items() if name != "challenge"}
    credential_id = encode(bytes.fromhex(pair["credential_id"]))
    return {"id": credential_id, "rawId": credential_id, "type": "public-key", "response": members}


def challenge_of(pair: dict[str, Any], part: str) -> Callable[[bytes], bool]:
    return lambda challenge: challenge == bytes.fromhex(pair[part]["challenge"])


def register(pair: dict[str, Any]) -> webauthn.NewPasskey:
    return webauthn.verify_registration(credential(pair, "registration"), PARTY, challenge_of(pair, "registration"))


def use(pair: dict[str, Any], passkey: webauthn.NewPasskey) -> webauthn.Flags:
    return webauthn.verify_assertion(
        read_assertion(credential(pair, "authentication")),
        Stored(passkey.public_key, passkey.flags.backup_eligible),
        PARTY,
        challenge_of(pair, "authentication"),
        is_only_proof=False,
    )


@pytest.mark.parametrize("name", sorted(PAIRS.keys() - IN_A_FRAME - OTHER_ALGORITHMS))
def test_a_passkey_of_the_specification_registers_and_signs(name: str) -> None:
    passkey = register(PAIRS[name])

    assert passkey.credential_id == bytes.fromhex(PAIRS[name]["credential_id"])
    assert use(PAIRS[name], passkey).backup_eligible == passkey.flags.backup_eligible


@pytest.mark.parametrize("name", sorted(IN_A_FRAME))
def test_a_passkey_of_the_specification_in_a_frame_is_rejected(name: str) -> None:
    with pytest.raises(CeremonyError, match="frame of another site"):
        register(PAIRS[name])

    with pytest.raises(CeremonyError, match="frame of another site"):
        use(PAIRS[name], register(PAIRS["none-es256"]))


@pytest.mark.parametrize("name", sorted(OTHER_ALGORITHMS))
def test_a_passkey_of_the_specification_with_an_algorithm_that_was_not_requested_is_rejected(name: str) -> None:
    with pytest.raises(CeremonyError, match=r"malformed \(ValueError\)"):
        register(PAIRS[name])


def test_ten_pairs_pass_two_are_in_a_frame_and_three_have_other_algorithms() -> None:
    assert len(PAIRS) == 15
    assert len(PAIRS.keys() - IN_A_FRAME - OTHER_ALGORITHMS) == 10


@pytest.mark.parametrize("name", ["none-es256", "packed-eddsa", "packed-rs256"])
def test_a_signature_by_another_key_is_rejected(name: str) -> None:
    other = next(key for key in ("none-es256", "packed-es256") if key != name)

    with pytest.raises(CeremonyError):
        use(PAIRS[name], register(PAIRS[other]))
