"""Tokens with a user's valid claims, so that only the signature, its algorithm or its key is wrong."""

import base64
import hashlib
import hmac
import json
import socket
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.forged_tokens import (
    accepted_tokens,
    current_signing_key,
    encode_segment,
    forge_token,
    get_own_user,
    read_header,
    sign_es256,
    valid_claims,
    valid_header,
    verify_token,
)
from userapi.security.signing_keys import KeyRing


@pytest.fixture
def claims(client: FlaskClient, user: ApiUser, key_folder: str) -> dict[str, Any]:
    return valid_claims(client, user, key_folder)


def hmac_token(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[header["alg"]]
    message = f"{encode_segment(header)}.{encode_segment(claims)}"
    return f"{message}.{encode_segment(hmac.new(secret, message.encode(), digest).digest())}"


def test_the_header_of_a_token_names_its_key(user: ApiUser, key_folder: str) -> None:
    assert read_header(user.tokens["access_token"]) == valid_header(key_folder)


def test_T01_rejects_every_spelling_of_the_none_algorithm(
    client: FlaskClient, claims: dict[str, Any], key_folder: str
) -> None:
    real = forge_token(key_folder, claims).rpartition(".")[2]
    tokens = {}
    for algorithm in ("none", "None", "NONE", "nOnE", "none ", " none", "", "null", None, 0, [], ["none"], {}, True):
        body = f"{encode_segment(valid_header(key_folder, alg=algorithm))}.{encode_segment(claims)}"
        tokens |= {f"{algorithm!r} unsigned": f"{body}.", f"{algorithm!r} signed": f"{body}.{real}"}
    without = {name: value for name, value in valid_header(key_folder).items() if name != "alg"}
    tokens |= {"absent unsigned": f"{encode_segment(without)}.{encode_segment(claims)}."}
    tokens |= {"absent signed": forge_token(key_folder, claims, header=without)}

    assert accepted_tokens(client, tokens) == {}


def test_T02_the_signature_is_always_checked(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    body, _, signature = forge_token(key_folder, claims).rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    foreign = ec.generate_private_key(ec.SECP256R1())
    half = len(raw) // 2
    tokens = {
        "stripped": f"{body}.",
        "without its dot": body,
        "cut by a character": f"{body}.{signature[:-1]}",
        "cut by a byte": f"{body}.{encode_segment(raw[:-1])}",
        "a byte longer": f"{body}.{encode_segment(raw + b'0')}",
        "all zero (CVE-2022-21449)": f"{body}.{encode_segment(bytes(64))}",
        "r and s swapped": f"{body}.{encode_segment(raw[half:] + raw[:half])}",
        "of another key": forge_token(key_folder, claims, key=foreign),
        "of other claims": f"{forge_token(key_folder, claims | {'sub': '1'}).rpartition('.')[0]}.{signature}",
    }
    for position in range(0, len(raw), 7):
        flipped = bytearray(raw)
        flipped[position] ^= 1
        tokens[f"bit flipped in byte {position}"] = f"{body}.{encode_segment(bytes(flipped))}"

    assert accepted_tokens(client, tokens) == {}


def test_T03_rejects_hmac_with_the_public_key_as_secret(
    client: FlaskClient, claims: dict[str, Any], key_folder: str
) -> None:
    public = current_signing_key(key_folder).public_key()
    info, point = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.UncompressedPoint
    pem = public.public_bytes(serialization.Encoding.PEM, info)
    (jwk,) = [key for key in client.get("/.well-known/jwks.json").get_json()["keys"] if key["kty"] == "EC"]
    secrets = {
        "PEM": pem,
        "PEM without its last line end": pem.rstrip(b"\n"),
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "DER": public.public_bytes(serialization.Encoding.DER, info),
        "point": public.public_bytes(serialization.Encoding.X962, point),
        "x and y": public.public_bytes(serialization.Encoding.X962, point)[1:],
        "JWK": json.dumps(jwk).encode(),
        "JWK compact": json.dumps(jwk, separators=(",", ":")).encode(),
        "JWK sorted": json.dumps(jwk, separators=(",", ":"), sort_keys=True).encode(),
        "key set": client.get("/.well-known/jwks.json").data,
        "x": jwk["x"].encode(),
        "kid": jwk["kid"].encode(),
    }
    tokens = {
        f"{algorithm} with {name}": hmac_token(valid_header(key_folder, alg=algorithm), claims, secret)
        for algorithm in ("HS256", "HS384", "HS512")
        for name, secret in secrets.items()
    }

    assert accepted_tokens(client, tokens) == {}


def test_T04_ignores_keys_inside_tokens(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    attacker = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(attacker.public_key()))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys.json"
        offers = {
            "jwk": jwk | {"kid": "mine", "alg": "ES256", "use": "sig"},
            "jku": url,
            "x5u": url,
            "x5c": [base64.b64encode(b"certificate").decode()],
        }
        tokens = {}
        for name, offer in offers.items():
            for kid in (valid_header(key_folder)["kid"], "mine"):
                header = valid_header(key_folder, **{name: offer, "kid": kid})
                tokens[f"{name}, kid {kid}"] = forge_token(key_folder, claims, header, attacker)
            tokens[f"{name}, signed by us"] = forge_token(key_folder, claims, valid_header(key_folder, **{name: offer}))

        assert accepted_tokens(client, tokens) == {}
        with pytest.raises(TimeoutError):
            listener.accept()


def test_T05_kid_is_only_looked_up(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    key = KeyRing(Path(key_folder)).newest()
    kids: dict[str, Any] = {
        "the file's name": key.name,
        "the file": f"{key.name}.pem",
        "its path": f"{key_folder}/{key.name}.pem",
        "traversal": f"../{Path(key_folder).name}/{key.name}.pem",
        "/dev/null": "/dev/null",
        "SQL": f"x' UNION SELECT '{key.kid}",
        "command": f"$(cat {key_folder}/{key.name}.pem)",
        "NUL": f"{key.kid}\x00",
        "blank": f"{key.kid} ",
        "other case": key.kid.swapcase(),
        "surrogate": "\ud800",
        "empty": "",
        "null": None,
        "list": [key.kid],
        "object": {"kid": key.kid},
        "number": 1,
        "true": True,
        "10 kB": key.kid * 250,
    }
    tokens = {name: forge_token(key_folder, claims, valid_header(key_folder, kid=kid)) for name, kid in kids.items()}
    no_kid = {name: value for name, value in valid_header(key_folder).items() if name != "kid"}
    tokens["absent"] = forge_token(key_folder, claims, no_kid)
    too_long = tokens.pop("10 kB")

    started = time.thread_time()
    assert accepted_tokens(client, tokens) == {}
    assert get_own_user(client, too_long).status_code == 401
    assert verify_token(client, too_long).status_code == 400
    assert time.thread_time() - started < 5


def test_T06_accepts_only_the_configured_algorithm(
    client: FlaskClient, claims: dict[str, Any], key_folder: str
) -> None:
    ours, rsa_key = current_signing_key(key_folder), rsa.generate_private_key(65537, 2048)

    def signed(algorithm: str, sign: Any) -> str:
        message = f"{encode_segment(valid_header(key_folder, alg=algorithm))}.{encode_segment(claims)}"
        return f"{message}.{encode_segment(sign(message))}"

    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    tokens = {
        "ES384 by our key": signed("ES384", lambda message: sign_es256(message, ours, hashes.SHA384())),
        "ES512 by our key": signed("ES512", lambda message: sign_es256(message, ours, hashes.SHA512())),
        "ES521 by our key": signed("ES521", lambda message: sign_es256(message, ours, hashes.SHA512())),
        "ES256K by our key": signed("ES256K", lambda message: sign_es256(message, ours)),
        "es256 by our key": signed("es256", lambda message: sign_es256(message, ours)),
        "ES384 by its own": signed(
            "ES384", lambda m: sign_es256(m, ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
        ),
        "EdDSA": signed("EdDSA", lambda m: ed25519.Ed25519PrivateKey.generate().sign(m.encode())),
        "RS256": signed("RS256", lambda m: rsa_key.sign(m.encode(), padding.PKCS1v15(), hashes.SHA256())),
        "PS256": signed("PS256", lambda m: rsa_key.sign(m.encode(), pss, hashes.SHA256())),
        "HS256": hmac_token(valid_header(key_folder, alg="HS256"), claims, b"0" * 32),
    }

    assert accepted_tokens(client, tokens) == {}


def test_T07_rejects_tokens_signed_with_blank_or_common_secrets(
    client: FlaskClient, claims: dict[str, Any], key_folder: str
) -> None:
    secret = client.application.config["SECRET_KEY"].encode()
    secrets = (b"", b" ", b"\x00" * 32, b"secret", b"changeme", b"your-256-bit-secret", b"None", secret)
    tokens = {
        f"{algorithm} {secret!r}": hmac_token(valid_header(key_folder, alg=algorithm), claims, secret)
        for algorithm in ("HS256", "HS512")
        for secret in secrets
    }

    assert accepted_tokens(client, tokens) == {}


def test_T18_rejects_unknown_critical_headers(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    crits: tuple[Any, ...] = (["x"], ["exp"], ["b64"], [], "x", None, {}, 1)
    tokens = {
        repr(crit): forge_token(key_folder, claims, valid_header(key_folder, crit=crit, x=1, b64=True, exp=1))
        for crit in crits
    }

    assert accepted_tokens(client, tokens) == {}
