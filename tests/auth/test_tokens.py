"""What a token contains, how it is sent, and what loading its user costs."""

import time
from collections.abc import Callable

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import make_user, new_user
from tests.support.forged_tokens import forge_token, get_own_user, read_claims, refresh_session, verify_token
from userapi.core.db import db

CLAIMS = {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "type"}

#: What only access tokens say about the proofs of identity.
PROOFS = {"acr", "amr", "auth_time"}

#: Added by Flask-JWT-Extended; neither is personal data.
OF_THE_LIBRARY = {"csrf", "fresh"}


def test_T13_tokens_carry_no_personal_data(make_api_user: Callable[..., ApiUser]) -> None:
    someone = make_api_user(first_name="Ingeborg", last_name="Quillfeather", username="ingequill", is_staff=True)

    for kind in ("access_token", "refresh_token"):
        claims = read_claims(someone.tokens[kind])
        assert set(claims) == CLAIMS | OF_THE_LIBRARY | (PROOFS if kind == "access_token" else set())
        assert claims["sub"] == str(someone.id)
        text = str(claims).lower()
        for secret in (someone.email, "ingeborg", "quill", "staff", "$argon2", someone.password):
            assert secret not in text


def test_access_token_claims_are_added_for_other_services(make_app: Callable[..., Flask]) -> None:
    app = make_app(ACCESS_TOKEN_CLAIMS="email,username,is_staff,is_superuser,groups")
    email = str(new_user()["email"])
    user_id = make_user(app, email=email, username="wren", is_staff=True, joins_staff_group=False)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO groups (id, name) VALUES (7001, 'editors'), (7002, 'auditors')"))
        connection.execute(sa.text("INSERT INTO user_groups VALUES (:id, 7001), (:id, 7002)"), {"id": user_id})

    tokens = sign_in(app, email)
    renewed = refresh_session(app.test_client(), tokens["refresh_token"]).get_json()

    for pair in (tokens, renewed):
        access = read_claims(pair["access_token"])
        assert {name: access[name] for name in set(access) - CLAIMS - PROOFS - OF_THE_LIBRARY} == {
            "email": email,
            "username": "wren",
            "is_staff": True,
            "is_superuser": False,
            "groups": ["auditors", "editors"],
        }
        assert set(read_claims(pair["refresh_token"])) == CLAIMS | OF_THE_LIBRARY
    assert get_own_user(app.test_client(), tokens["access_token"]).status_code == 200


def test_T12_added_claims_are_never_trusted_here(make_app: Callable[..., Flask], key_folder: str) -> None:
    app = make_app(ACCESS_TOKEN_CLAIMS="is_staff,is_superuser")
    email = str(new_user()["email"])
    make_user(app, email=email)
    claims = read_claims(sign_in(app, email)["access_token"])
    assert claims["is_staff"] is False

    bold = forge_token(key_folder, claims | {"is_staff": True, "is_superuser": True})

    headers = {"Authorization": f"Bearer {bold}"}
    assert app.test_client().get("/userapi/auth/user/", headers=headers).get_json()["is_staff"] is False
    assert app.test_client().get("/userapi/users/", headers=headers).status_code == 403


def test_issuer_and_audience_are_settings(make_app: Callable[..., Flask], key_folder: str) -> None:
    app = make_app(JWT_ISSUER="https://id.example.org", JWT_AUDIENCE="orders")
    elsewhere = make_app()
    email = str(new_user()["email"])
    make_user(app, email=email)

    token = sign_in(app, email)["access_token"]

    claims = read_claims(token)
    assert (claims["iss"], claims["aud"]) == ("https://id.example.org", "orders")
    assert get_own_user(app.test_client(), token).status_code == 200
    assert get_own_user(elsewhere.test_client(), token).status_code == 401
    same_session = read_claims(sign_in(elsewhere, email)["access_token"]) | {"sid": claims["sid"]}
    assert get_own_user(elsewhere.test_client(), forge_token(key_folder, same_session)).status_code == 200
    assert get_own_user(app.test_client(), forge_token(key_folder, same_session)).status_code == 401


def test_T14_tokens_are_short_lived_and_expires_in_is_correct(client: FlaskClient, user: ApiUser) -> None:
    access, refresh_token = (read_claims(user.tokens[kind]) for kind in ("access_token", "refresh_token"))

    assert access["exp"] - access["iat"] == user.tokens["expires_in"] == 900
    assert refresh_token["exp"] - refresh_token["iat"] == 7 * 86400
    assert abs(access["iat"] - time.time()) < 60


def test_T14_lifetimes_are_settings_and_tokens_end_with_their_session(make_app: Callable[..., Flask]) -> None:
    app = make_app(ACCESS_TOKEN_LIFETIME="120", SESSION_LIFETIME="60", SESSION_IDLE_LIFETIME="3600")
    email = str(new_user()["email"])
    make_user(app, email=email)

    tokens = sign_in(app, email)

    access, refresh_token = (read_claims(tokens[kind]) for kind in ("access_token", "refresh_token"))
    assert access["exp"] - access["iat"] in (59, 60)
    assert tokens["expires_in"] in (59, 60)
    assert refresh_token["exp"] - refresh_token["iat"] in (59, 60)


def test_T08_a_token_is_valid_until_it_expires(make_app: Callable[..., Flask]) -> None:
    # Claims are whole seconds: a token issued at the end of one lives almost a second less.
    app = make_app(ACCESS_TOKEN_LIFETIME="4")
    email = str(new_user()["email"])
    make_user(app, email=email)
    client = app.test_client()
    token = sign_in(app, email)["access_token"]
    assert get_own_user(client, token).status_code == 200
    end = read_claims(token)["exp"]

    while time.time() < end:
        time.sleep(0.05)

    assert get_own_user(client, token).get_json()["code"] == "token_expired"
    assert verify_token(client, token).get_json()["code"] == "token_expired"


def test_T15_every_token_has_a_unique_id_and_a_plausible_date(app: Flask, user: ApiUser) -> None:
    tokens = [sign_in(app, user.email) for _ in range(20)]

    claims = [read_claims(pair[kind]) for pair in tokens for kind in ("access_token", "refresh_token")]
    assert len({one["jti"] for one in claims}) == 40
    assert all(abs(one["iat"] - time.time()) < 60 for one in claims)


def test_T20_the_bearer_scheme_is_case_insensitive(client: FlaskClient, user: ApiUser) -> None:
    token = user.tokens["access_token"]

    for scheme in ("Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "):
        headers = {"Authorization": f"{scheme} {token}"}
        assert client.get("/userapi/auth/user/", headers=headers).status_code == 200, scheme


def test_T20_tokens_in_other_places_are_ignored(client: FlaskClient, user: ApiUser) -> None:
    token = user.tokens["access_token"]
    assert get_own_user(client, token).status_code == 200
    path = "/userapi/auth/user/"

    for query in ("access_token", "token", "jwt", "Authorization", "bearer"):
        assert client.get(path, query_string={query: token}).status_code == 401
    assert client.patch(path, json={"access_token": token, "first_name": "x"}).status_code == 401
    assert client.patch(path, data={"access_token": token, "first_name": "x"}).status_code == 401
    assert client.get(path, auth=(user.email, token)).status_code == 401
    assert client.get(path, auth=("Bearer", token)).status_code == 401
    for name in ("access_token", "access_token_cookie", "token", "Authorization"):
        cookie = {"Cookie": f"{name}={token}"}
        assert client.application.test_client(use_cookies=False).get(path, headers=cookie).status_code == 401
    for header in ("X-Authorization", "X-Access-Token", "Proxy-Authorization", "Token"):
        assert client.get(path, headers={header: f"Bearer {token}"}).status_code == 401


def test_T20_rejects_a_header_with_anything_but_one_token(client: FlaskClient, user: ApiUser) -> None:
    token = user.tokens["access_token"]
    values = (
        token, f"Token {token}", f"JWT {token}", f"Bearer{token}", f"Bearer {token} {token}", f"Bearer {token},{token}",
        f"Bearer {token}, Bearer {token}", f"Basic x, Bearer {token}", f"Bearer x, Bearer {token}", f'Bearer "{token}"',
        f"Bearer token={token}", f"Bearer:{token}", f"Bearer\t{token}", "Bearer", "Bearer ", "bearer", "", ",", ", ,",
        "Bearer null", "Bearer undefined", "Bearer {}",
    )  # fmt: skip

    responses = {value: client.get("/userapi/auth/user/", headers={"Authorization": value}) for value in values}
    twice = client.get("/userapi/auth/user/", headers=[("Authorization", f"Bearer {token}")] * 2)

    assert {value: response.status_code for value, response in responses.items() if response.status_code != 401} == {}
    assert twice.status_code == 401


def test_T21_401_names_the_scheme_and_403_does_not(client: FlaskClient, user: ApiUser, other_user: ApiUser) -> None:
    nothing = client.get("/userapi/auth/user/")
    bad = get_own_user(client, "x")
    not_allowed = user.get(other_user.url)

    assert (nothing.status_code, nothing.get_json()["code"]) == (401, "not_authenticated")
    assert nothing.headers["WWW-Authenticate"] == 'Bearer realm="userapi"'
    assert (bad.status_code, bad.get_json()["code"]) == (401, "token_invalid")
    assert bad.headers["WWW-Authenticate"].startswith('Bearer realm="userapi", error="invalid_token"')
    assert (not_allowed.status_code, not_allowed.get_json()["code"]) == (403, "permission_denied")
    assert "WWW-Authenticate" not in not_allowed.headers
    assert {response.mimetype for response in (nothing, bad, not_allowed)} == {"application/problem+json"}


def test_verify_returns_the_claims(client: FlaskClient, user: ApiUser) -> None:
    response = verify_token(client, user.tokens["access_token"])

    assert response.status_code == 200
    assert response.get_json() == read_claims(user.tokens["access_token"])
    under_userapi = client.post("/userapi/api-token-verify/", json={"token": user.tokens["access_token"]})
    assert under_userapi.get_json() == response.get_json()


def test_verify_requires_one_token(client: FlaskClient, user: ApiUser) -> None:
    for body in ({}, {"token": None}, {"token": ""}, {"token": 1}, {"token": [user.tokens["access_token"]]}):
        assert client.post("/api-token-verify/", json=body).status_code == 400
    for text in ("x", "a.b.c", user.tokens["access_token"] + "x"):
        response = verify_token(client, text)
        assert response.status_code == 401
        assert "invalid_token" in response.headers["WWW-Authenticate"]


def test_T24_verify_accepts_exactly_the_tokens_that_the_api_accepts(
    app: Flask, client: FlaskClient, make_api_user: Callable[..., ApiUser], superuser: ApiUser
) -> None:
    def signed_out() -> str:
        someone = make_api_user()
        someone.post("/userapi/auth/logout/")
        return str(someone.tokens["access_token"])

    def signed_out_elsewhere() -> str:
        someone = make_api_user()
        other = {"Authorization": f"Bearer {sign_in(app, someone.email)['access_token']}"}
        client.post("/userapi/auth/logout/", json={"all": True}, headers=other)
        return str(someone.tokens["access_token"])

    def password_changed() -> str:
        someone = make_api_user()
        token = sign_in(app, someone.email)["access_token"]
        body = {
            "old_password": someone.password,
            "new_password1": "quartz melon 41",
            "new_password2": "quartz melon 41",
        }
        assert someone.post("/userapi/auth/password/change/", json=body).status_code == 200
        return str(token)

    def disabled() -> str:
        someone = make_api_user()
        superuser.patch(someone.url, json={"is_active": False})
        return str(someone.tokens["access_token"])

    def deleted() -> str:
        someone = make_api_user()
        superuser.delete(someone.url)
        return str(someone.tokens["access_token"])

    def reused() -> str:
        someone = make_api_user()
        first = refresh_session(client, someone.tokens["refresh_token"]).get_json()
        refresh_session(client, first["refresh_token"])
        assert refresh_session(client, someone.tokens["refresh_token"]).get_json()["code"] == "token_reused"
        return str(someone.tokens["access_token"])

    def refreshed() -> str:
        someone = make_api_user()
        return str(refresh_session(client, someone.tokens["refresh_token"]).get_json()["access_token"])

    for end in (signed_out, signed_out_elsewhere, password_changed, disabled, deleted, reused):
        token = end()
        responses = [get_own_user(client, token), verify_token(client, token)]
        assert [response.status_code for response in responses] == [401, 401], end.__name__
        assert [response.get_json()["code"] for response in responses] == ["token_revoked"] * 2, end.__name__
    for token in (make_api_user().tokens["access_token"], refreshed()):
        assert [get_own_user(client, token).status_code, verify_token(client, token).status_code] == [200, 200]
