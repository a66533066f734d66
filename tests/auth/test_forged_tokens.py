"""Forged, altered and foreign tokens: each has a live user's complete claims, so that one check alone is in its way."""

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
from conftest import Person
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from factories import new_user
from flask import Flask
from flask.testing import FlaskClient
from forging import claims_of, ecdsa, forge, header_of, not_refused, our_header, our_key, refresh, segment, use, verify

from userapi.core.signing import KeyRing


@pytest.fixture
def claims(client: FlaskClient, user: Person, key_folder: str) -> dict[str, Any]:
    """The complete claims of another's live access token; signed with our key they are accepted."""
    claims = claims_of(user.tokens["access_token"])
    assert use(client, forge(key_folder, claims)).get_json()["id"] == user.id
    assert verify(client, forge(key_folder, claims)).status_code == 200
    return claims


def hmac_token(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[header["alg"]]
    message = f"{segment(header)}.{segment(claims)}"
    return f"{message}.{segment(hmac.new(secret, message.encode(), digest).digest())}"


def test_T01_no_spelling_of_no_algorithm_is_accepted(
    client: FlaskClient, claims: dict[str, Any], key_folder: str
) -> None:
    real = forge(key_folder, claims).rpartition(".")[2]
    tokens = {}
    for algorithm in ("none", "None", "NONE", "nOnE", "none ", " none", "", "null", None, 0, [], ["none"], {}, True):
        body = f"{segment(our_header(key_folder, alg=algorithm))}.{segment(claims)}"
        tokens |= {f"{algorithm!r} unsigned": f"{body}.", f"{algorithm!r} signed": f"{body}.{real}"}
    without = {name: value for name, value in our_header(key_folder).items() if name != "alg"}
    tokens |= {"absent unsigned": f"{segment(without)}.{segment(claims)}."}
    tokens |= {"absent signed": forge(key_folder, claims, header=without)}

    assert not_refused(client, tokens) == {}


def test_T02_the_signature_is_always_checked(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    body, _, signature = forge(key_folder, claims).rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    foreign = ec.generate_private_key(ec.SECP256R1())
    half = len(raw) // 2
    tokens = {
        "stripped": f"{body}.",
        "without its dot": body,
        "cut by a character": f"{body}.{signature[:-1]}",
        "cut by a byte": f"{body}.{segment(raw[:-1])}",
        "a byte longer": f"{body}.{segment(raw + b'0')}",
        "all zero (CVE-2022-21449)": f"{body}.{segment(bytes(64))}",
        "r and s swapped": f"{body}.{segment(raw[half:] + raw[:half])}",
        "of another key": forge(key_folder, claims, key=foreign),
        "of other claims": f"{forge(key_folder, claims | {'sub': '1'}).rpartition('.')[0]}.{signature}",
    }
    for position in range(0, len(raw), 7):
        flipped = bytearray(raw)
        flipped[position] ^= 1
        tokens[f"bit flipped in byte {position}"] = f"{body}.{segment(bytes(flipped))}"

    assert not_refused(client, tokens) == {}


def test_T03_the_public_key_is_no_secret_for_hmac(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    public = our_key(key_folder).public_key()
    info, point = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.UncompressedPoint
    pem = public.public_bytes(serialization.Encoding.PEM, info)
    (jwk,) = client.get("/.well-known/jwks.json").get_json()["keys"]
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
        f"{algorithm} with {name}": hmac_token(our_header(key_folder, alg=algorithm), claims, secret)
        for algorithm in ("HS256", "HS384", "HS512")
        for name, secret in secrets.items()
    }

    assert not_refused(client, tokens) == {}


def test_T04_a_token_brings_no_key_along(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
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
            for kid in (our_header(key_folder)["kid"], "mine"):
                header = our_header(key_folder, **{name: offer, "kid": kid})
                tokens[f"{name}, kid {kid}"] = forge(key_folder, claims, header, attacker)
            tokens[f"{name}, signed by us"] = forge(key_folder, claims, our_header(key_folder, **{name: offer}))

        assert not_refused(client, tokens) == {}
        with pytest.raises(TimeoutError):
            listener.accept()


def test_T05_kid_is_looked_up_and_nothing_else(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
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
    tokens = {name: forge(key_folder, claims, our_header(key_folder, kid=kid)) for name, kid in kids.items()}
    no_kid = {name: value for name, value in our_header(key_folder).items() if name != "kid"}
    tokens["absent"] = forge(key_folder, claims, no_kid)
    too_long = tokens.pop("10 kB")

    started = time.monotonic()
    assert not_refused(client, tokens) == {}
    assert use(client, too_long).status_code == 401
    assert verify(client, too_long).status_code == 400
    assert time.monotonic() - started < 5


def test_T06_only_the_configured_algorithm(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    ours, rsa_key = our_key(key_folder), rsa.generate_private_key(65537, 2048)

    def signed(algorithm: str, sign: Any) -> str:
        message = f"{segment(our_header(key_folder, alg=algorithm))}.{segment(claims)}"
        return f"{message}.{segment(sign(message))}"

    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    tokens = {
        "ES384 by our key": signed("ES384", lambda message: ecdsa(message, ours, hashes.SHA384())),
        "ES512 by our key": signed("ES512", lambda message: ecdsa(message, ours, hashes.SHA512())),
        "ES521 by our key": signed("ES521", lambda message: ecdsa(message, ours, hashes.SHA512())),
        "ES256K by our key": signed("ES256K", lambda message: ecdsa(message, ours)),
        "es256 by our key": signed("es256", lambda message: ecdsa(message, ours)),
        "ES384 by its own": signed(
            "ES384", lambda m: ecdsa(m, ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
        ),
        "EdDSA": signed("EdDSA", lambda m: ed25519.Ed25519PrivateKey.generate().sign(m.encode())),
        "RS256": signed("RS256", lambda m: rsa_key.sign(m.encode(), padding.PKCS1v15(), hashes.SHA256())),
        "PS256": signed("PS256", lambda m: rsa_key.sign(m.encode(), pss, hashes.SHA256())),
        "HS256": hmac_token(our_header(key_folder, alg="HS256"), claims, b"0" * 32),
    }

    assert not_refused(client, tokens) == {}


def test_T07_blank_and_common_secrets_do_not_verify(
    client: FlaskClient, claims: dict[str, Any], key_folder: str
) -> None:
    secret = client.application.config["SECRET_KEY"].encode()
    secrets = (b"", b" ", b"\x00" * 32, b"secret", b"changeme", b"your-256-bit-secret", b"None", secret)
    tokens = {
        f"{algorithm} {secret!r}": hmac_token(our_header(key_folder, alg=algorithm), claims, secret)
        for algorithm in ("HS256", "HS512")
        for secret in secrets
    }

    assert not_refused(client, tokens) == {}


def test_X11_a_token_of_a_machine_whose_clock_is_ahead_is_good(
    client: FlaskClient, user: Person, claims: dict[str, Any], key_folder: str
) -> None:
    begin = int(time.time()) + 50
    ahead = {"iat": begin, "nbf": begin}

    token = forge(key_folder, claims | ahead)

    assert use(client, token).status_code == 200
    assert verify(client, token).status_code == 200
    renewed = forge(key_folder, claims_of(user.tokens["refresh_token"]) | ahead)
    assert refresh(client, renewed).status_code == 200


def test_X11_the_leeway_keeps_no_token_alive(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    assert use(client, forge(key_folder, claims | {"exp": int(time.time()) + 5})).status_code == 200

    for late in (0, 1, 30):
        token = forge(key_folder, claims | {"exp": int(time.time()) - late})
        assert use(client, token).get_json()["code"] == "token_expired"
        assert verify(client, token).get_json()["code"] == "token_expired"


def test_T08_time_claims_are_enforced(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    now = int(time.time())
    times: dict[str, dict[str, Any]] = {
        "expired": {"exp": now - 61},
        "expired as it is issued": {"iat": now - 61, "nbf": now - 61, "exp": now - 61},
        "not yet good": {"nbf": now + 90},
        "issued tomorrow": {"iat": now + 86400},
        "exp negative": {"exp": -1},
        "exp zero": {"exp": 0},
        "exp beyond all numbers": {"exp": 10**30},
        "exp in the year 300000": {"exp": 10**13},
    }
    for name in ("exp", "nbf", "iat"):
        good = claims[name]
        for value in (
            str(good),
            float(good) + 0.5,
            good * 1.0,
            True,
            False,
            None,
            [],
            [good],
            {},
            "",
            "soon",
            float("inf"),
            float("nan"),
            1e308,
        ):
            times[f"{name} {value!r}"] = {name: value}
    tokens = {name: forge(key_folder, claims | changes) for name, changes in times.items()}

    assert not_refused(client, tokens) == {}
    assert use(client, tokens["expired"]).get_json()["code"] == "token_expired"
    assert verify(client, tokens["expired"]).get_json()["code"] == "token_expired"


def test_T09_issuer_and_audience_are_exact(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    wrong: dict[str, dict[str, Any]] = {}
    for name in ("iss", "aud"):
        good = claims[name]
        values = (good[:-1], good + "x", good.upper(), f" {good}", [good], [good, "x"], [], {}, None, "", 1, True, "x")
        wrong |= {f"{name} {value!r}": {name: value} for value in values}
    wrong |= {"aud of cookies": {"aud": client.application.config["JWT_WEB_AUDIENCE"]}}
    tokens = {name: forge(key_folder, claims | changes) for name, changes in wrong.items()}
    for name in ("iss", "aud"):
        without = {key: value for key, value in claims.items() if key != name}
        tokens[f"{name} absent"] = forge(key_folder, without)

    assert not_refused(client, tokens) == {}


def test_T10_kinds_of_token_are_not_interchangeable(
    client: FlaskClient, user: Person, claims: dict[str, Any], key_folder: str
) -> None:
    access, refresh_token = user.tokens["access_token"], user.tokens["refresh_token"]
    kinds = ("refresh", "Access", "access ", "", "reset", None, True, ["access"], {"access": 1})
    tokens = {f"type {kind!r}": forge(key_folder, claims | {"type": kind}) for kind in kinds}
    tokens["a refresh token"] = refresh_token

    assert not_refused(client, tokens) == {}
    assert refresh(client, access).status_code == 401
    disguised = claims_of(refresh_token) | {"type": "access"}
    assert refresh(client, forge(key_folder, disguised)).status_code == 401
    assert refresh(client, refresh_token).status_code == 200


def test_T11_no_claim_may_be_missing_or_of_another_type(
    client: FlaskClient, user: Person, claims: dict[str, Any], key_folder: str
) -> None:
    tokens = {}
    for name in ("sub", "exp", "iat", "nbf", "jti", "type", "sid", "iss", "aud"):
        without = {key: value for key, value in claims.items() if key != name}
        tokens[f"{name} absent"] = forge(key_folder, without)
    for name in ("sub", "sid", "jti"):
        good = claims[name]
        values = (
            None,
            [good],
            {"is": good},
            True,
            "",
            f" {good}",
            f"{good} ",
            f"{good}\x00",
            f"0{good}",
            f"+{good}",
            "٣",
        )
        for value in values:
            tokens[f"{name} {value!r}"] = forge(key_folder, claims | {name: value})
    tokens |= {
        "sub as number": forge(key_folder, claims | {"sub": user.id}),
        "sub as fraction": forge(key_folder, claims | {"sub": float(user.id)}),
        "sub too large": forge(key_folder, claims | {"sub": "9" * 18}),
        "sub far too large": forge(key_folder, claims | {"sub": "9" * 500}),
        "sid in capitals": forge(key_folder, claims | {"sid": claims["sid"].upper()}),
        "sid without hyphens": forge(key_folder, claims | {"sid": claims["sid"].replace("-", "")}),
        "no claims": forge(key_folder, {}),
        "claims in a list": forge(key_folder, [claims]),
        "claims null": forge(key_folder, None),
        "claims as text": forge(key_folder, json.dumps(claims)),
    }

    assert not_refused(client, tokens) == {}


def test_T11_a_session_is_good_only_for_its_own_user(
    client: FlaskClient, user: Person, stranger: Person, claims: dict[str, Any], key_folder: str
) -> None:
    other = claims_of(stranger.tokens["access_token"])
    tokens = {
        "my session, another's id": forge(key_folder, claims | {"sub": other["sub"]}),
        "another's session, my id": forge(key_folder, claims | {"sid": other["sid"]}),
    }

    assert not_refused(client, tokens) == {}
    mine = claims_of(user.tokens["refresh_token"])
    assert refresh(client, forge(key_folder, mine | {"sub": other["sub"]})).status_code == 401
    assert refresh(client, forge(key_folder, mine)).status_code == 200


def test_T12_claims_never_decide_what_one_may(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    bold = forge(
        key_folder,
        claims
        | {
            "is_staff": True,
            "is_superuser": True,
            "role": "admin",
            "roles": ["admin"],
            "scope": "users:*",
            "groups": ["x"],
        },
    )

    answer = client.get("/userapi/users/", headers={"Authorization": f"Bearer {bold}"})

    assert answer.status_code == 403
    assert use(client, bold).get_json()["is_staff"] is False


def test_T12_staff_who_lost_the_right_lose_it_with_the_token_in_hand(superuser: Person, staff: Person) -> None:
    assert staff.get("/userapi/users/").status_code == 200

    superuser.patch(staff.url, json={"is_staff": False})

    assert staff.get("/userapi/users/").status_code == 403


def test_T16_malformed_tokens_are_401(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    head, body, signature = forge(key_folder, claims).split(".")
    deep = b"[" * 1200 + b"]" * 1200
    open_claims = json.dumps(claims)[:-1].encode()
    kid = b'{"alg":"ES256","kid":'
    tokens = {
        "one segment": head,
        "two": f"{head}.{body}",
        "four": f"{head}.{body}.{signature}.{signature}",
        "five, as JWE": f"{head}.{body}.{signature}.{body}.{signature}",
        "dots": "..",
        "many dots": "." * 4000,
        "empty header": f".{body}.{signature}",
        "empty claims": f"{head}..{signature}",
        "header no JSON": f"{segment(b'x')}.{body}.{signature}",
        "header a list": f"{segment([])}.{body}.{signature}",
        "header a text": f"{segment('ES256')}.{body}.{signature}",
        "header null": f"{segment(None)}.{body}.{signature}",
        "header not UTF-8": f"{segment(bytes([0xFF, 0xFE]))}.{body}.{signature}",
        "header deep": f"{segment(deep)}.{body}.{signature}",
        "kid deep": f"{segment(kid + deep + b'}')}.{body}.{signature}",
        "kid deep and open": f"{segment(kid + b'[' * 2600)}.{body}.{signature}",
        "header a large number": f"{segment(kid + b'9' * 2600 + b'}')}.{body}.{signature}",
        "claims no JSON": forge(key_folder, b"x"),
        "claims not UTF-8": forge(key_folder, b"\xff\xfe"),
        "claims deep": forge(key_folder, deep),
        "claims deep and signed": forge(key_folder, open_claims + b',"x":' + b"[" * 1000 + b"]" * 1000 + b"}"),
        "a large number": forge(key_folder, open_claims + b',"exp":' + b"9" * 1900 + b"}"),
        "no base64": "%%%.$$$.!!!",
        "a word": "null",
        "a one-time token": "xKcQ7Vv0m4k2l8c1Yk0p9b3n5s7d1f4g6h8j0k2l4z6",
    }

    assert not_refused(client, tokens) == {}


def test_T16_huge_tokens_are_refused_quickly(client: FlaskClient, user: Person) -> None:
    good = user.tokens["access_token"]
    started = time.monotonic()

    answers = [
        use(client, token).status_code for token in (good + "A" * 1_000_000, "." * 100_000, good * 300, "a" * 5000)
    ]

    assert answers == [401] * 4
    assert time.monotonic() - started < 1


def test_T16_deep_tokens_in_cookies_are_401_as_well(
    app: Flask, user: Person, claims: dict[str, Any], key_folder: str
) -> None:
    def use_cookie(token: str, path: str = "/userapi/auth/user/") -> int:
        headers = {"Cookie": f"access_token={token}"}
        return app.test_client(use_cookies=False).get(path, headers=headers).status_code

    of_the_web = claims | {"aud": app.config["JWT_WEB_AUDIENCE"]}
    header = segment(b'{"alg":"ES256","kid":' + b"[" * 20_000 + b"]" * 20_000 + b"}")
    deep = f"{header}.{segment(of_the_web)}.AAAA"
    assert use_cookie(forge(key_folder, of_the_web)) == 200

    assert use_cookie(deep) == 401
    assert use_cookie(deep, "/userapi/") == 200


def test_T17_duplicate_claims_mean_one_person(
    client: FlaskClient, user: Person, stranger: Person, claims: dict[str, Any], key_folder: str
) -> None:
    mine, other = json.dumps(claims)[1:-1], json.dumps(claims_of(stranger.tokens["access_token"]))[1:-1]
    both = forge(key_folder, f"{{{mine},{other}}}".encode())
    split = forge(key_folder, f'{{"sub":"{stranger.id}",{mine}}}'.encode())

    assert use(client, both).get_json()["id"] == stranger.id
    assert verify(client, both).get_json()["sub"] == str(stranger.id)
    assert use(client, split).get_json()["id"] == user.id
    assert verify(client, split).get_json()["sub"] == str(user.id)


def test_T18_unknown_critical_headers_are_refused(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    crits: tuple[Any, ...] = (["x"], ["exp"], ["b64"], [], "x", None, {}, 1)
    tokens = {
        repr(crit): forge(key_folder, claims, our_header(key_folder, crit=crit, x=1, b64=True, exp=1)) for crit in crits
    }

    assert not_refused(client, tokens) == {}


def test_T19_another_spelling_dies_with_the_original(client: FlaskClient, user: Person) -> None:
    token = user.tokens["access_token"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare_bits = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    spellings = [
        token,
        spare_bits,
        f"{token}=",
        f"{token}==",
        f"{token}====",
        token.replace("-", "+").replace("_", "/"),
        token.replace(".", "=="),
        f"{token}.",
    ]
    accepted = [spelling for spelling in spellings if use(client, spelling).status_code == 200]
    assert token in accepted

    user.post("/userapi/auth/logout/")

    assert [use(client, spelling).status_code for spelling in spellings] == [401] * len(spellings)
    assert [verify(client, spelling).status_code for spelling in spellings] == [401] * len(spellings)


def test_T19_a_spent_refresh_token_in_another_spelling_is_spent(client: FlaskClient, user: Person) -> None:
    token = user.tokens["refresh_token"]
    first = refresh(client, token).get_json()

    again = refresh(client, f"{token}==")

    if again.status_code == 200:
        assert claims_of(again.get_json()["refresh_token"])["jti"] == claims_of(first["refresh_token"])["jti"]
    else:
        assert again.status_code == 401


def test_header_of_a_token_names_its_key(user: Person, key_folder: str) -> None:
    assert header_of(user.tokens["access_token"]) == our_header(key_folder)


def test_T25_a_bad_token_is_no_anonymous_success(client: FlaskClient, user: Person, key_folder: str) -> None:
    claims = claims_of(user.tokens["access_token"])
    bad = (
        "x",
        "x y",
        "",
        forge(key_folder, claims | {"exp": 1}),
        forge(key_folder, claims | {"aud": client.application.config["JWT_WEB_AUDIENCE"]}),
        forge(key_folder, claims, key=ec.generate_private_key(ec.SECP256R1())),
        user.tokens["refresh_token"],
    )
    for token in bad:
        headers = {"Authorization": f"Bearer {token}"}
        assert client.post("/userapi/users/", json=new_user(), headers=headers).status_code == 401
        assert client.get("/userapi/", headers=headers).status_code == 401
        assert client.get("/userapi/auth/", headers=headers).status_code == 401

    assert client.post("/userapi/users/", json=new_user(), headers=user.headers).status_code == 201
    assert client.get("/userapi/", headers=user.headers).status_code == 200
