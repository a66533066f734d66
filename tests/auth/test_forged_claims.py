"""Tokens with a valid signature and forged claims: times, issuer, audience, kind and owner."""

import json
import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.forged_tokens import (
    accepted_tokens,
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


def test_X11_a_token_from_a_host_with_a_fast_clock_is_valid(
    client: FlaskClient, user: ApiUser, claims: dict[str, Any], key_folder: str
) -> None:
    begin = int(time.time()) + 50
    ahead = {"iat": begin, "nbf": begin}

    token = forge_token(key_folder, claims | ahead)

    assert get_own_user(client, token).status_code == 200
    assert verify_token(client, token).status_code == 200
    renewed = forge_token(key_folder, read_claims(user.tokens["refresh_token"]) | ahead)
    assert refresh_session(client, renewed).status_code == 200


def test_X11_the_leeway_does_not_extend_expiry(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    assert get_own_user(client, forge_token(key_folder, claims | {"exp": int(time.time()) + 60})).status_code == 200

    for late in (0, 1, 30):
        token = forge_token(key_folder, claims | {"exp": int(time.time()) - late})
        assert get_own_user(client, token).get_json()["code"] == "token_expired"
        assert verify_token(client, token).get_json()["code"] == "token_expired"


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
    tokens = {name: forge_token(key_folder, claims | changes) for name, changes in times.items()}

    assert accepted_tokens(client, tokens) == {}
    assert get_own_user(client, tokens["expired"]).get_json()["code"] == "token_expired"
    assert verify_token(client, tokens["expired"]).get_json()["code"] == "token_expired"


def test_T09_issuer_and_audience_are_exact(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    wrong: dict[str, dict[str, Any]] = {}
    for name in ("iss", "aud"):
        good = claims[name]
        values = (good[:-1], good + "x", good.upper(), f" {good}", [good], [good, "x"], [], {}, None, "", 1, True, "x")
        wrong |= {f"{name} {value!r}": {name: value} for value in values}
    wrong |= {"aud of cookies": {"aud": client.application.config["JWT_WEB_AUDIENCE"]}}
    tokens = {name: forge_token(key_folder, claims | changes) for name, changes in wrong.items()}
    for name in ("iss", "aud"):
        without = {key: value for key, value in claims.items() if key != name}
        tokens[f"{name} absent"] = forge_token(key_folder, without)

    assert accepted_tokens(client, tokens) == {}


def test_T10_token_types_are_not_interchangeable(
    client: FlaskClient, user: ApiUser, claims: dict[str, Any], key_folder: str
) -> None:
    access, refresh_token = user.tokens["access_token"], user.tokens["refresh_token"]
    kinds = ("refresh", "Access", "access ", "", "reset", None, True, ["access"], {"access": 1})
    tokens = {f"type {kind!r}": forge_token(key_folder, claims | {"type": kind}) for kind in kinds}
    tokens["a refresh token"] = refresh_token

    assert accepted_tokens(client, tokens) == {}
    assert refresh_session(client, access).status_code == 401
    disguised = read_claims(refresh_token) | {"type": "access"}
    assert refresh_session(client, forge_token(key_folder, disguised)).status_code == 401
    assert refresh_session(client, refresh_token).status_code == 200


def test_T11_rejects_missing_claims_and_wrong_types(
    client: FlaskClient, user: ApiUser, claims: dict[str, Any], key_folder: str
) -> None:
    tokens = {}
    for name in ("sub", "exp", "iat", "nbf", "jti", "type", "sid", "iss", "aud"):
        without = {key: value for key, value in claims.items() if key != name}
        tokens[f"{name} absent"] = forge_token(key_folder, without)
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
            tokens[f"{name} {value!r}"] = forge_token(key_folder, claims | {name: value})
    tokens |= {
        "sub as number": forge_token(key_folder, claims | {"sub": user.id}),
        "sub as fraction": forge_token(key_folder, claims | {"sub": float(user.id)}),
        "sub too large": forge_token(key_folder, claims | {"sub": "9" * 18}),
        "sub far too large": forge_token(key_folder, claims | {"sub": "9" * 500}),
        "sid in capitals": forge_token(key_folder, claims | {"sid": claims["sid"].upper()}),
        "sid without hyphens": forge_token(key_folder, claims | {"sid": claims["sid"].replace("-", "")}),
        "no claims": forge_token(key_folder, {}),
        "claims in a list": forge_token(key_folder, [claims]),
        "claims null": forge_token(key_folder, None),
        "claims as text": forge_token(key_folder, json.dumps(claims)),
    }

    assert accepted_tokens(client, tokens) == {}


def test_T11_a_session_is_valid_only_for_its_own_user(
    client: FlaskClient, user: ApiUser, other_user: ApiUser, claims: dict[str, Any], key_folder: str
) -> None:
    other = read_claims(other_user.tokens["access_token"])
    tokens = {
        "my session, another's id": forge_token(key_folder, claims | {"sub": other["sub"]}),
        "another's session, my id": forge_token(key_folder, claims | {"sid": other["sid"]}),
    }

    assert accepted_tokens(client, tokens) == {}
    mine = read_claims(user.tokens["refresh_token"])
    assert refresh_session(client, forge_token(key_folder, mine | {"sub": other["sub"]})).status_code == 401
    assert refresh_session(client, forge_token(key_folder, mine)).status_code == 200


def test_T12_claims_never_grant_permissions(client: FlaskClient, claims: dict[str, Any], key_folder: str) -> None:
    bold = forge_token(
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

    response = client.get("/userapi/users/", headers={"Authorization": f"Bearer {bold}"})

    assert response.status_code == 403
    assert get_own_user(client, bold).get_json()["is_staff"] is False


def test_T12_demoted_staff_lose_access_with_existing_tokens(superuser: ApiUser, staff: ApiUser) -> None:
    assert staff.get("/userapi/users/").status_code == 200

    superuser.patch(staff.url, json={"is_staff": False})

    assert staff.get("/userapi/users/").status_code == 403


def test_T17_duplicate_claims_never_identify_two_users(
    client: FlaskClient, user: ApiUser, other_user: ApiUser, claims: dict[str, Any], key_folder: str
) -> None:
    mine, other = json.dumps(claims)[1:-1], json.dumps(read_claims(other_user.tokens["access_token"]))[1:-1]
    both = forge_token(key_folder, f"{{{mine},{other}}}".encode())
    split = forge_token(key_folder, f'{{"sub":"{other_user.id}",{mine}}}'.encode())

    assert get_own_user(client, both).get_json()["id"] == other_user.id
    assert verify_token(client, both).get_json()["sub"] == str(other_user.id)
    assert get_own_user(client, split).get_json()["id"] == user.id
    assert verify_token(client, split).get_json()["sub"] == str(user.id)
