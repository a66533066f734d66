"""Malformed, oversized, deeply nested and respelled tokens are rejected quickly."""

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import new_user
from tests.support.forged_tokens import (
    accepted_tokens,
    encode_segment,
    forge_token,
    get_own_user,
    read_claims,
    refresh_session,
    valid_claims,
    verify_token,
)

pytestmark = pytest.mark.both


@pytest.fixture
def claims(client: FlaskClient, user: ApiUser, key_folder: str) -> dict[str, Any]:
    return valid_claims(client, user, key_folder)


def test_T16_malformed_tokens_are_401(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    head, body, signature = forge_token(key_folder, claims).split(".")
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
        "header no JSON": f"{encode_segment(b'x')}.{body}.{signature}",
        "header a list": f"{encode_segment([])}.{body}.{signature}",
        "header a text": f"{encode_segment('ES256')}.{body}.{signature}",
        "header null": f"{encode_segment(None)}.{body}.{signature}",
        "header not UTF-8": f"{encode_segment(bytes([0xFF, 0xFE]))}.{body}.{signature}",
        "header deep": f"{encode_segment(deep)}.{body}.{signature}",
        "kid deep": f"{encode_segment(kid + deep + b'}')}.{body}.{signature}",
        "kid deep and open": f"{encode_segment(kid + b'[' * 2600)}.{body}.{signature}",
        "header a large number": f"{encode_segment(kid + b'9' * 2600 + b'}')}.{body}.{signature}",
        "claims no JSON": forge_token(key_folder, b"x"),
        "claims not UTF-8": forge_token(key_folder, b"\xff\xfe"),
        "claims deep": forge_token(key_folder, deep),
        "claims deep and signed": forge_token(key_folder, open_claims + b',"x":' + b"[" * 1000 + b"]" * 1000 + b"}"),
        "a large number": forge_token(key_folder, open_claims + b',"exp":' + b"9" * 1900 + b"}"),
        "no base64": "%%%.$$$.!!!",
        "a word": "null",
        "a token of an email link": "xKcQ7Vv0m4k2l8c1Yk0p9b3n5s7d1f4g6h8j0k2l4z6",
    }

    assert accepted_tokens(client, tokens) == {}


def test_T16_huge_tokens_are_rejected_quickly(client: FlaskClient, user: ApiUser) -> None:
    good = user.tokens["access_token"]
    started = time.thread_time()  # processor time, because the machine may be busy

    responses = [
        get_own_user(client, token).status_code
        for token in (good + "A" * 1_000_000, "." * 100_000, good * 300, "a" * 5000)
    ]

    assert responses == [401] * 4
    assert time.thread_time() - started < 1


def test_T16_deeply_nested_tokens_in_cookies_are_401(
    app: Flask, user: ApiUser, claims: dict[str, Any], key_folder: str
) -> None:
    def use_cookie(token: str, path: str = "/userapi/auth/user/") -> int:
        headers = {"Cookie": f"access_token={token}"}
        return app.test_client(use_cookies=False).get(path, headers=headers).status_code

    of_the_web = claims | {"aud": app.config["JWT_WEB_AUDIENCE"]}
    header = encode_segment(b'{"alg":"ES256","kid":' + b"[" * 20_000 + b"]" * 20_000 + b"}")
    deep = f"{header}.{encode_segment(of_the_web)}.AAAA"
    assert use_cookie(forge_token(key_folder, of_the_web)) == 200

    assert use_cookie(deep) == 401
    assert use_cookie(deep, "/userapi/") == 200


def test_T19_another_spelling_of_a_token_ends_with_the_original(client: FlaskClient, user: ApiUser) -> None:
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
    accepted = [spelling for spelling in spellings if get_own_user(client, spelling).status_code == 200]
    assert token in accepted

    user.post("/userapi/auth/logout/")

    assert [get_own_user(client, spelling).status_code for spelling in spellings] == [401] * len(spellings)
    assert [verify_token(client, spelling).status_code for spelling in spellings] == [401] * len(spellings)


def test_T19_a_used_refresh_token_stays_used_in_another_spelling(client: FlaskClient, user: ApiUser) -> None:
    token = user.tokens["refresh_token"]
    first = refresh_session(client, token).get_json()

    again = refresh_session(client, f"{token}==")

    if again.status_code == 200:
        assert read_claims(again.get_json()["refresh_token"])["jti"] == read_claims(first["refresh_token"])["jti"]
    else:
        assert again.status_code == 401


def test_T25_an_invalid_token_is_not_treated_as_anonymous(client: FlaskClient, user: ApiUser, key_folder: str) -> None:
    claims = read_claims(user.tokens["access_token"])
    bad = (
        "x",
        "x y",
        "",
        forge_token(key_folder, claims | {"exp": 1}),
        forge_token(key_folder, claims | {"aud": client.application.config["JWT_WEB_AUDIENCE"]}),
        forge_token(key_folder, claims, key=ec.generate_private_key(ec.SECP256R1())),
        user.tokens["refresh_token"],
    )
    for token in bad:
        headers = {"Authorization": f"Bearer {token}"}
        assert client.post("/userapi/users/", json=new_user(), headers=headers).status_code == 401
        assert client.get("/userapi/", headers=headers).status_code == 401
        assert client.get("/userapi/auth/", headers=headers).status_code == 401

    assert client.post("/userapi/users/", json=new_user(), headers=user.headers).status_code == 201
    assert client.get("/userapi/", headers=user.headers).status_code == 200
