"""Which tokens the kit accepts. Each forged token differs from a valid one in one thing."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clients.python.tests.issuer import Issuer, Key
from userapi_client import Claims, InsufficientProof, InsufficientScope, InvalidToken, NotSignedIn, Verifier


def rejected_reason(verifier: Verifier, token: Any) -> str | None:
    """The code of the error that a token gets; None if it is accepted."""
    try:
        verifier.verify(token)
    except InvalidToken as error:
        return error.code
    return None


def encode(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign_with_public_key(issuer: Issuer) -> list[str]:
    """HS256 tokens whose secret is the public key, as PEM and as JSON."""
    key = issuer.keys[0]
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    message = f"{encode({'alg': 'HS256', 'typ': 'JWT', 'kid': key.kid})}.{encode(issuer.claims())}"
    secrets = (pem, json.dumps(key.jwk).encode(), b"")
    return [f"{message}.{encode(hmac.digest(secret, message.encode(), hashlib.sha256))}" for secret in secrets]


def test_a_valid_token_gives_typed_claims(issuer: Issuer) -> None:
    session = str(uuid.uuid4())
    token = issuer.token(sid=session, acr="aal2", amr=["pwd", "otp", "mfa"], email="ada@example.com", plan="gold")

    claims = Verifier(issuer.url).verify(token)

    assert (claims.user_id, str(claims.session_id), claims.level, claims.proofs) == (
        18, session, "aal2", ("pwd", "otp", "mfa"),
    )  # fmt: skip
    assert (claims.scopes, claims.client_id) == (None, None)
    assert claims.document["plan"] == "gold"
    assert claims.expires_at - claims.issued_at == 900


def test_a_token_of_an_impersonation_names_the_member_of_staff(issuer: Issuer) -> None:
    verifier = Verifier(issuer.url)

    assert verifier.verify(issuer.token(act={"sub": "7"})).impersonator_id == 7
    assert verifier.verify(issuer.token()).impersonator_id is None
    for malformed in ("7", {"sub": 7}, {}):  # None would leave the claim out
        with pytest.raises(InvalidToken):
            verifier.verify(issuer.token(act=malformed))


def test_the_token_of_an_api_key_has_its_scopes(issuer: Issuer) -> None:
    key_id, verifier = str(uuid.uuid4()), Verifier(issuer.url)

    claims = verifier.verify(issuer.token(client_id=key_id, scope="users events"))
    without = verifier.verify(issuer.token(client_id=key_id))

    assert (claims.client_id, claims.scopes) == (key_id, {"users", "events"})
    assert claims.has_scopes("users")
    assert not claims.has_scopes("users", "webhooks")
    assert without.scopes == frozenset()


def test_W32_forged_tokens_are_rejected(issuer: Issuer) -> None:
    verifier, key, now = Verifier(issuer.url), issuer.keys[0], int(time.time())
    other, larger = Key("first"), ec.generate_private_key(ec.SECP384R1())
    valid = issuer.token()
    header, body, signature = valid.split(".")
    forged = {
        "no signature": jwt.encode(issuer.claims(), None, "none", headers={"kid": "first"}),
        "None": f"{encode({'alg': 'None', 'kid': 'first'})}.{body}.",
        "another algorithm": jwt.encode(issuer.claims(), larger, "ES384", headers={"kid": "first"}),
        **{f"the public key as secret {index}": token for index, token in enumerate(sign_with_public_key(issuer))},
        "another key": issuer.token(other),
        "no key id": jwt.encode(issuer.claims(), key.private, "ES256"),
        "a key id of another type": f"{encode({'alg': 'ES256', 'kid': ['first']})}.{body}.{signature}",
        "an unknown key id": issuer.token(key, {"kid": "theirs"}),
        "a key in the token": issuer.token(other, {"jwk": other.jwk}),
        "a URL of keys": issuer.token(key, {"jku": "https://evil.example/keys"}),
        "crit": issuer.token(key, {"crit": ["x"], "x": 1}),
        "another body": f"{header}.{encode(issuer.claims(sub='1'))}.{signature}",
        "another issuer": issuer.token(iss="https://accounts.example"),
        "an issuer with a slash": issuer.token(iss=f"{issuer.url}/"),
        "no issuer": issuer.token(iss=None),
        "another audience": issuer.token(aud="shop"),
        "the audience of cookies": issuer.token(aud="userapi-web"),
        "a session for set-up": issuer.token(aud="userapi-set-up"),
        "several audiences": issuer.token(aud=["userapi", "shop"]),
        "no audience": issuer.token(aud=None),
        "a refresh token": issuer.token(type="refresh"),
        "no type": issuer.token(type=None),
        "expired": issuer.token(exp=now - 1),
        "no end": issuer.token(exp=None),
        "an end that is a text": issuer.token(exp=str(now + 900)),
        "an end that is a fraction": issuer.token(exp=now + 900.5),
        "an endless end": issuer.token(exp=10**18),
        "from the future": issuer.token(iat=now + 120),
        "not yet valid": issuer.token(nbf=now + 120),
        "no time": issuer.token(iat=None),
        "no user": issuer.token(sub=None),
        "a user with a sign": issuer.token(sub="+18"),
        "a user with a zero": issuer.token(sub="018"),
        "an empty user": issuer.token(sub=""),
        "no session": issuer.token(sid=None),
        "a session that is no UUID": issuer.token(sid="1"),
        "a session in capitals": issuer.token(sid=str(uuid.uuid4()).upper()),
        "no id": issuer.token(jti=None),
        "a level that does not exist": issuer.token(acr="aal3"),
        "proofs that are no list": issuer.token(amr="pwd"),
        "scopes that are a list": issuer.token(scope=["users"]),
        "cut": valid[:-10],
        "padded": f"{valid}==",
        "two signatures": f"{valid}.{signature}",
        "nothing": "",
        "not ASCII": "ä.ö.ü",
        "too long": valid + "x" * 20_000,
        "no text": None,
        "bytes": valid.encode(),
        "deep": f"{header}.{encode(b'[' * 100_000)}.{signature}",
    }  # fmt: skip

    assert rejected_reason(verifier, valid) is None
    accepted = [name for name, token in forged.items() if rejected_reason(verifier, token) is None]
    assert accepted == []
    assert rejected_reason(verifier, forged["expired"]) == "token_expired"
    assert issuer.fetches == 1


def test_W32_clocks_may_differ_by_a_minute(issuer: Issuer) -> None:
    now = int(time.time())

    assert Verifier(issuer.url).verify(issuer.token(iat=now + 40, nbf=now + 40)).user_id == 18


def test_tokens_of_earlier_versions_state_no_proofs(issuer: Issuer) -> None:
    claims = Verifier(issuer.url).verify(issuer.token(acr=None, amr=None, auth_time=None))

    assert (claims.level, claims.proofs, claims.proved_at) == ("aal1", (), None)


def test_an_authorization_header_is_read_once_and_only_as_bearer(issuer: Issuer) -> None:
    verifier, token = Verifier(issuer.url), issuer.token()

    found = [verifier.verify_header([f"{scheme} {token}"]) for scheme in ("Bearer", "bearer", "BEARER ")]
    assert [claims and claims.user_id for claims in found] == [18, 18, 18]
    assert [verifier.verify_header(values) for values in ([], ["Basic eDp5"], ["Token abc"])] == [None] * 3
    for values in ([f"Bearer {token}"] * 2, ["Bearer"], ["Bearer "], [f"Bearer {token}, Bearer {token}"]):
        with pytest.raises(InvalidToken):
            verifier.verify_header(values)


def test_requirements_name_what_is_missing(issuer: Issuer) -> None:
    verifier, now = Verifier(issuer.url), int(time.time())

    def claims(**changes: Any) -> Claims:
        return verifier.verify(issuer.token(**changes))

    assert verifier.require(claims(), ["users"], "aal1", 60)
    with pytest.raises(NotSignedIn):
        verifier.require(None)
    with pytest.raises(InsufficientScope) as scope:
        verifier.require(claims(client_id="key", scope="profile"), ["users", "events"])
    with pytest.raises(InsufficientProof) as level:
        verifier.require(claims(), level="aal2", max_age=300)
    with pytest.raises(InsufficientProof):
        verifier.require(claims(auth_time=now - 301), max_age=300)
    with pytest.raises(InsufficientProof):
        verifier.require(claims(auth_time=None), max_age=300)
    assert scope.value.challenge == 'Bearer realm="userapi", error="insufficient_scope", scope="events users"'
    assert level.value.challenge == (
        'Bearer realm="userapi", error="insufficient_user_authentication", acr_values="aal2", max_age=300'
    )
