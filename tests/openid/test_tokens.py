"""The token endpoint: codes, refresh tokens, and who may use them."""

import pytest
from flask import Flask

from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.race import run_simultaneously
from tests.support.relying_party import RelyingParty, basic, claims_of, make_client
from tests.support.sql import execute_sql


def test_tokens_say_who_for_whom_and_how(signed_in: FormBrowser, email: str, handbook: RelyingParty) -> None:
    tokens = handbook.sign_in(signed_in)
    identity, access = claims_of(tokens["id_token"]), claims_of(tokens["access_token"])

    assert tokens["token_type"] == "Bearer"
    assert identity["iss"] == access["iss"] == access["aud"] == "http://accounts.example.com"
    assert identity["aud"] == identity["azp"] == access["client_id"] == handbook.client_id
    assert identity["nonce"] == "nonce of the client"
    assert identity["amr"] == ["pwd"]
    assert identity["exp"] - identity["iat"] == 300
    assert "nbf" not in identity
    assert "email" not in identity
    found = handbook.userinfo(tokens["access_token"]).get_json()
    assert found["sub"] == identity["sub"]
    assert found["email"] == email


@pytest.mark.parametrize(
    "change",
    [{"code_verifier": ""}, {"code_verifier": "w" * 64}, {"code_verifier": "w" * 42}, {"code_verifier": "w" * 129}],
    ids=["none", "another", "too short", "too long"],
)
def test_Q06_a_code_needs_the_verifier_of_its_challenge(
    change: dict[str, str], signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    code = handbook.authorize(signed_in)["code"]

    response = handbook.exchange(code, **change)

    assert (response.status_code, response.get_json()["error"]) == (400, "invalid_grant")
    assert handbook.exchange(code).status_code == 400  # it is used up


def test_Q06_a_verifier_without_a_challenge_is_rejected(app: Flask, signed_in: FormBrowser) -> None:
    old = make_client(app, requires_pkce=False)
    code = old.authorize(signed_in, code_challenge=None, code_challenge_method=None)["code"]

    assert old.exchange(code, code_verifier="w" * 64).get_json()["error"] == "invalid_grant"


def test_Q07_a_code_that_is_sent_again_ends_the_tokens_that_it_was_exchanged_for(
    signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    code = handbook.authorize(signed_in)["code"]
    tokens = handbook.exchange(code).get_json()

    assert handbook.exchange(code).get_json()["error"] == "invalid_grant"

    assert handbook.userinfo(tokens["access_token"]).status_code == 401
    assert handbook.introspect(tokens["access_token"]) == {"active": False}
    assert handbook.refresh(tokens["refresh_token"]).status_code == 400


@pytest.mark.both
def test_Q07_of_ten_exchanges_of_one_code_one_wins(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    code = handbook.authorize(signed_in)["code"]

    responses = run_simultaneously([lambda: handbook.exchange(code)] * 10)

    assert sorted(response.status_code for response in responses) == [200] + [400] * 9


def test_Q08_a_code_and_a_refresh_token_belong_to_their_client_and_use(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    other = make_client(app, name="Wiki")
    code = handbook.authorize(signed_in)["code"]
    other.verifier = handbook.verifier

    assert other.exchange(code).get_json()["error"] == "invalid_grant"
    tokens = handbook.exchange(code).get_json()
    assert other.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert handbook.refresh(code).get_json()["error"] == "invalid_grant"
    assert handbook.exchange(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert handbook.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("redirect_uri", ["", "https://handbook.example.com/other"], ids=["none", "another"])
def test_Q09_a_code_needs_its_redirect_uri(redirect_uri: str, signed_in: FormBrowser, handbook: RelyingParty) -> None:
    code = handbook.authorize(signed_in)["code"]

    assert handbook.exchange(code, redirect_uri=redirect_uri).get_json()["error"] == "invalid_grant"


@pytest.mark.both
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE openid_authorizations SET code_expires_at = created_at",
        "UPDATE login_sessions SET ended_at = created_at",
        "UPDATE users SET is_active = false",
        "UPDATE users SET session_version = session_version + 1",
    ],
    ids=["expired", "signed out", "deactivated", "password changed"],
)
def test_Q10_a_code_ends_with_its_minute_its_session_and_its_account(
    statement: str, app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    code = handbook.authorize(signed_in)["code"]
    execute_sql(app, statement)

    assert handbook.exchange(code).get_json()["error"] == "invalid_grant"


def test_Q11_a_confidential_client_needs_its_own_secret_in_its_own_way(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    other, public = make_client(app, name="Wiki"), make_client(app, name="Page", kind="spa")
    tokens = handbook.sign_in(signed_in)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert other.secret is not None
    wrong = [
        ({}, {"client_id": handbook.client_id}),
        ({"Authorization": basic(handbook.client_id, "wrong")}, {}),
        ({"Authorization": basic(handbook.client_id, other.secret)}, {}),
        ({"Authorization": basic(handbook.client_id, "")}, {}),
        ({"Authorization": basic("unknown", other.secret)}, {}),
        ({"Authorization": "Basic !"}, {}),
        ({"Authorization": "Bearer x"}, {}),
        ({}, {"client_id": handbook.client_id, "client_secret": str(handbook.secret)}),  # registered for Basic
        ({"Authorization": basic(public.client_id, "secret")}, {}),
    ]

    for headers, more in wrong:
        response = app.test_client().post("/oauth/token/", data={**form, **more}, headers=headers)
        assert (response.status_code, response.get_json()["error"]) == (401, "invalid_client"), (headers, more)
        assert response.headers["WWW-Authenticate"].startswith("Basic ")

    both = app.test_client().post(
        "/oauth/token/",
        data={**form, "client_secret": "x"},
        headers={"Authorization": basic(handbook.client_id, str(handbook.secret))},
    )
    in_url = handbook.post("/oauth/token/?client_secret=x", form)
    assert [(both.status_code, both.get_json()["error"]), (in_url.status_code, in_url.get_json()["error"])] == [
        (400, "invalid_request")
    ] * 2
    assert handbook.refresh(tokens["refresh_token"]).status_code == 200


def test_Q17_scopes_do_not_grow_and_a_narrower_token_is_for_once(
    signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    tokens = handbook.sign_in(signed_in, scope="openid email")

    wider = handbook.refresh(tokens["refresh_token"], scope="openid email profile")
    narrower = handbook.refresh(tokens["refresh_token"], scope="openid")
    again = handbook.refresh(narrower.get_json()["refresh_token"])

    assert (wider.status_code, wider.get_json()["error"]) == (400, "invalid_scope")
    assert narrower.get_json()["scope"] == "openid"
    assert again.get_json()["scope"] == "openid email"


def test_Q27_a_refresh_token_that_is_sent_again_later_ends_the_sign_in(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    first = handbook.sign_in(signed_in)
    second = handbook.refresh(first["refresh_token"]).get_json()

    repeated = handbook.refresh(first["refresh_token"]).get_json()

    assert claims_of(repeated["refresh_token"])["jti"] == claims_of(second["refresh_token"])["jti"]
    third = handbook.refresh(second["refresh_token"]).get_json()
    execute_sql(app, "UPDATE openid_token_families SET previous_jti = NULL")
    assert handbook.refresh(second["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert handbook.refresh(third["refresh_token"]).get_json()["error"] == "invalid_grant"


@pytest.mark.both
def test_Q27_of_ten_refreshes_at_the_same_time_all_get_the_same_successor(
    signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    tokens = handbook.sign_in(signed_in)

    responses = run_simultaneously([lambda: handbook.refresh(tokens["refresh_token"])] * 10)

    assert {response.status_code for response in responses} == {200}
    assert len({claims_of(response.get_json()["refresh_token"])["jti"] for response in responses}) == 1


def test_Q28_two_sign_ins_in_one_session_are_two_families(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    first, second = handbook.sign_in(signed_in), handbook.sign_in(signed_in)

    assert handbook.refresh(first["refresh_token"]).status_code == 200
    assert handbook.refresh(second["refresh_token"]).status_code == 200
    assert claims_of(first["id_token"])["sid"] == claims_of(second["id_token"])["sid"]


def test_Q30_offline_access_outlives_the_sign_out_only(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    offline = handbook.sign_in(signed_in, scope="openid offline_access")
    online = handbook.sign_in(signed_in, scope="openid")
    signed_in.post("/logout/", {"csrf_token": hidden_value(signed_in.get("/logout/"))})

    kept = handbook.refresh(offline["refresh_token"])

    assert kept.status_code == 200
    assert handbook.refresh(online["refresh_token"]).status_code == 400
    execute_sql(app, "UPDATE users SET session_version = session_version + 1")
    assert handbook.refresh(kept.get_json()["refresh_token"]).status_code == 400


def test_Q47_other_grants_are_not_supported(handbook: RelyingParty) -> None:
    for grant in ("password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"):
        assert handbook.post("/oauth/token/", {"grant_type": grant}).get_json()["error"] == "unsupported_grant_type"


def test_Q53_bodies_that_are_no_form_are_rejected_in_the_shape_of_oauth(app: Flask, handbook: RelyingParty) -> None:
    headers = {"Authorization": basic(handbook.client_id, str(handbook.secret))}
    client = app.test_client()
    as_json = client.post("/oauth/token/", json={"grant_type": "refresh_token"}, headers=headers)
    as_parts = client.post(
        "/oauth/token/", data={"grant_type": "x"}, content_type="multipart/form-data", headers=headers
    )
    large = client.post("/oauth/token/", data={"grant_type": "x" * 2_000_000}, headers=headers)
    twice = client.post(
        "/oauth/token/",
        data="grant_type=a&grant_type=b",
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )

    assert [each.status_code for each in (as_json, as_parts, large, twice)] == [415, 415, 413, 400]
    assert {each.get_json()["error"] for each in (as_json, as_parts, large, twice)} == {"invalid_request"}
