"""ID tokens that tests sign, right or wrong."""

import base64
import hashlib
import hmac
import time
from typing import Any

import orjson
from joserfc import jwk, jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

Key = RSAKey | ECKey | OKPKey | OctKey

#: The keys of a provider: one of each kind that is accepted.
RSA: RSAKey = jwk.RSAKey.generate_key(2048, {"kid": "rsa"})
EC: ECKey = jwk.ECKey.generate_key("P-256", {"kid": "ec"})
ED: OKPKey = jwk.OKPKey.generate_key("Ed25519", {"kid": "ed"})
FOREIGN: RSAKey = jwk.RSAKey.generate_key(2048, {"kid": "rsa"})


def public_keys(*keys: Key) -> list[dict[str, Any]]:
    """The keys as a provider publishes them."""
    return [dict(key.as_dict(private=False)) for key in keys]


def claims_of(issuer: str, client_id: str, nonce: str, /, **changes: Any) -> dict[str, Any]:
    """The claims of a token that is accepted, with changes; None removes a claim."""
    now = int(time.time())
    claims = {"iss": issuer, "aud": client_id, "sub": "248289761001", "nonce": nonce, "iat": now, "exp": now + 300}
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def sign(claims: dict[str, Any], key: Key = RSA, algorithm: str = "RS256", **header: Any) -> str:
    """A signed token; None removes a header parameter."""
    head = {"alg": algorithm, "kid": key.kid, **header}
    head = {name: value for name, value in head.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return jws.serialize_compact(head, orjson.dumps(claims), key, registry=registry)


def forge(claims: dict[str, Any], algorithm: str, secret: bytes = b"") -> str:
    """A token with the algorithm `none`, or signed with an HMAC of a public key as the secret."""
    head = encode(orjson.dumps({"alg": algorithm, "kid": "rsa"}))
    message = f"{head}.{encode(orjson.dumps(claims))}"
    signature = hmac.digest(secret, message.encode(), "sha256") if secret else b""
    return f"{message}.{encode(signature)}"


def at_hash(access_token: str) -> str:
    """The claim `at_hash` for RS256."""
    return encode(hashlib.sha256(access_token.encode()).digest()[:16])


def encode(value: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
