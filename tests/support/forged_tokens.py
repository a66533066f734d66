"""Tokens as an attacker would make them, with other claims or even with the signing key."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from jwt.utils import der_to_raw_signature
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from userapi.security.signing_keys import KeyRing


def read_claims(token: str) -> dict[str, Any]:
    """The claims of a token."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def read_header(token: str) -> dict[str, Any]:
    """The header of a token."""
    return jwt.get_unverified_header(token)


def encode_segment(content: Any) -> str:
    """One part of a token: bytes as they are, everything else as JSON."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign_es256(message: str, key: ec.EllipticCurvePrivateKey, digest: hashes.HashAlgorithm | None = None) -> bytes:
    """The signature of an ES256 token, or of one with another digest."""
    return der_to_raw_signature(key.sign(message.encode(), ec.ECDSA(digest or hashes.SHA256())), key.curve)


def current_signing_key(key_folder: str) -> ec.EllipticCurvePrivateKey:
    """The current signing key."""
    return KeyRing(Path(key_folder)).newest().private


def valid_header(key_folder: str, **more: Any) -> dict[str, Any]:
    """The header of a valid token, with what an attacker adds."""
    return {"alg": "ES256", "typ": "JWT", "kid": KeyRing(Path(key_folder)).newest().kid, **more}


def forge_token(
    key_folder: str,
    claims: Any,
    header: Any = None,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> str:
    """A token with a valid signature and any content.

    Args:
        key_folder: where the signing keys are.
        claims: the payload, as data or as raw bytes.
        header: another header than that of a valid token.
        key: another key than the current one.
    """
    message = f"{encode_segment(valid_header(key_folder) if header is None else header)}.{encode_segment(claims)}"
    return f"{message}.{encode_segment(sign_es256(message, key or current_signing_key(key_folder)))}"


def valid_claims(client: FlaskClient, user: ApiUser, key_folder: str) -> dict[str, Any]:
    """The claims of a valid access token; signed with the current key they are accepted."""
    claims = read_claims(user.tokens["access_token"])
    assert get_own_user(client, forge_token(key_folder, claims)).get_json()["id"] == user.id
    assert verify_token(client, forge_token(key_folder, claims)).status_code == 200
    return claims


def get_own_user(client: FlaskClient, token: str) -> TestResponse:
    """Read the account of a bearer token."""
    return client.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {token}"})


def verify_token(client: FlaskClient, token: Any) -> TestResponse:
    """Verify a token over the API."""
    return client.post("/api-token-verify/", json={"token": token})


def refresh_session(client: FlaskClient, token: Any) -> TestResponse:
    """Exchange a refresh token."""
    return client.post("/api-token-refresh/", json={"refresh_token": token})


def accepted_tokens(client: FlaskClient, tokens: dict[str, str]) -> dict[str, tuple[int, int]]:
    """The tokens for which the API or the verification does not return 401, with the two statuses."""
    statuses_by_name = {
        name: (get_own_user(client, token).status_code, verify_token(client, token).status_code)
        for name, token in tokens.items()
    }
    return {name: statuses for name, statuses in statuses_by_name.items() if statuses != (401, 401)}
