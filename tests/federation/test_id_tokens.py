"""Verification of ID tokens: one right token, and every wrong one that a provider or an attacker could send."""

import time
from dataclasses import replace
from typing import Any

import pytest

from tests.support.id_tokens import EC, ED, FOREIGN, RSA, at_hash, claims_of, encode, forge, public_keys, sign
from userapi.core import clock
from userapi.federation import id_tokens
from userapi.federation.id_tokens import Expected, InvalidIdToken, UnknownKey

ISSUER, CLIENT, NONCE = "https://login.example.com", "our-client", "n-0S6_WzA2Mj"
KEYS = public_keys(RSA, EC, ED)


def expected(**changes: Any) -> Expected:
    usual = Expected(lambda claims: claims["iss"] == ISSUER, (CLIENT,), (NONCE,), clock.now())
    return replace(usual, **changes)


def claims(**changes: Any) -> dict[str, Any]:
    return claims_of(ISSUER, CLIENT, NONCE, **changes)


def reason_of(token: object, **changes: Any) -> str:
    with pytest.raises(InvalidIdToken) as caught:
        id_tokens.verify(token, KEYS, expected(**changes))
    return caught.value.reason


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519")]
)
def test_I07_accepts_the_algorithms_of_our_list(key: Any, algorithm: str) -> None:
    token = sign(claims(), key, algorithm) if algorithm != "EdDSA" else _signed_as_eddsa()

    assert id_tokens.verify(token, KEYS, expected())["sub"] == "248289761001"


def _signed_as_eddsa() -> str:
    header = encode(b'{"alg":"EdDSA","kid":"ed"}')
    message = f"{header}.{sign(claims(), ED, 'Ed25519').split('.')[1]}"
    return f"{message}.{encode(ED.private_key.sign(message.encode()))}"  # type: ignore[union-attr]


def test_I07_rejects_algorithms_outside_our_list() -> None:
    public = RSA.as_pem(private=False)
    assert reason_of(forge(claims(), "none")) == "algorithm"
    assert reason_of(forge(claims(), "HS256", public)) == "algorithm"
    assert reason_of(forge(claims(), "XS999", public)) == "algorithm"
    assert reason_of(sign(claims(), RSA, "RS512")) == "algorithm"


def test_I07_rejects_an_algorithm_that_does_not_fit_the_key() -> None:
    assert reason_of(sign(claims(), EC, "ES256", kid="rsa")) == "signature"
    (pinned,) = public_keys(RSA)
    with pytest.raises(UnknownKey):
        id_tokens.verify(sign(claims(), RSA, "PS256"), [{**pinned, "alg": "RS256"}], expected())


def test_I08_rejects_foreign_signatures_and_keys_of_the_token_itself() -> None:
    assert reason_of(sign(claims(), FOREIGN)) == "signature"
    for header in ({"jku": "https://evil.example/keys"}, {"jwk": public_keys(FOREIGN)[0]}, {"x5u": "https://e/c"}):
        assert reason_of(sign(claims(), FOREIGN, **header)) == "header names a key"
    with pytest.raises(UnknownKey):
        id_tokens.verify(sign(claims(), RSA, kid="another"), KEYS, expected())
    with pytest.raises(UnknownKey):
        id_tokens.verify(sign(claims(), RSA, kid=None), KEYS, expected())


def test_I08_accepts_a_token_without_a_key_id_of_a_provider_with_one_key() -> None:
    token = sign(claims(), RSA, kid=None)

    assert id_tokens.verify(token, public_keys(RSA), expected())["iss"] == ISSUER


@pytest.mark.parametrize("nonce", [None, "another", 7, ""])
def test_I09_rejects_another_nonce_or_none(nonce: object) -> None:
    assert reason_of(sign(claims(nonce=nonce))) == "nonce"
    assert reason_of(sign(claims(nonce=nonce, nonce_supported=False))) == "nonce"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "another-client"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": ["another-client"]}, "audience"),
        ({"aud": [CLIENT, 7]}, "audience"),
        ({"aud": {CLIENT: 1}}, "audience"),
        ({"aud": [CLIENT, "another-client"]}, "authorized party"),
        ({"aud": [CLIENT, "another-client"], "azp": "another-client"}, "authorized party"),
        ({"azp": "another-client"}, "authorized party"),
        ({"azp": [CLIENT]}, "authorized party"),
    ],
)
def test_I10_rejects_tokens_for_other_clients(changes: dict[str, Any], reason: str) -> None:
    assert reason_of(sign(claims(**changes))) == reason


def test_I10_accepts_several_audiences_if_we_are_the_authorized_party() -> None:
    token = sign(claims(aud=[CLIENT, "another-client"], azp=CLIENT))

    assert id_tokens.verify(token, KEYS, expected())["azp"] == CLIENT


@pytest.mark.parametrize(
    "issuer", [f"{ISSUER}/", ISSUER.upper(), "https://LOGIN.example.com", "https://e.com", None, 1]
)
def test_I11_rejects_another_issuer(issuer: object) -> None:
    assert reason_of(sign(claims(iss=issuer))) == "issuer"


@pytest.mark.parametrize(
    ("name", "offset"),
    [("exp", -61), ("iat", -661), ("iat", 120), ("nbf", 120)],
)
def test_I12_rejects_expired_old_and_future_tokens(name: str, offset: int) -> None:
    assert reason_of(sign(claims(**{name: int(time.time()) + offset})))


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", [None, "1800000000", True, [1800000000]])
def test_I12_rejects_times_that_are_not_numbers(name: str, value: object) -> None:
    assert reason_of(sign(claims(**{name: value}))) == "times"


def test_I12_accepts_a_clock_that_is_half_a_minute_off() -> None:
    now = int(time.time())
    for changes in ({"exp": now - 30}, {"iat": now + 30, "nbf": now + 30}, {"iat": now - 600}):
        assert id_tokens.verify(sign(claims(**changes)), KEYS, expected())


@pytest.mark.parametrize("token", [None, "", 7, "a.b", "a.b.c.d", "é.b.c", "a." * 9000, "..", "bm8.bm8.bm8"])
def test_I13_rejects_what_is_no_token(token: object) -> None:
    assert reason_of(token)


def test_I14_rejects_a_token_of_another_access_token() -> None:
    token = sign(claims(at_hash=at_hash("of this one")))

    assert id_tokens.verify(token, KEYS, expected(access_token="of this one"))
    assert reason_of(token, access_token="of another") == "access token"
    assert reason_of(sign(claims(at_hash=7)), access_token="of another") == "access token"


@pytest.mark.parametrize("subject", [None, "", "x" * 256, "a\0b", "a\nb", 7, ["a"]])
def test_I15_rejects_unusable_subjects(subject: object) -> None:
    assert reason_of(sign(claims(sub=subject))) == "subject"
