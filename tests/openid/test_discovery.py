"""The discovery document: what it lists works, and what it does not list fails."""

from collections.abc import Sequence
from typing import Any

import jwt
import pytest
from flask import Flask

from tests.support.form_browser import FormBrowser
from tests.support.relying_party import RelyingParty, answer_of, basic, claims_of, make_client
from tests.support.sql import execute_sql
from userapi.core.problems import ValidationFailed

#: Every member of the document. Each is checked below, except back-channel logout: `test_Q37_…` gets its tokens.
MEMBERS = {
    "issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "introspection_endpoint",
    "revocation_endpoint", "end_session_endpoint", "pushed_authorization_request_endpoint",
    "device_authorization_endpoint", "scopes_supported", "response_types_supported", "response_modes_supported",
    "grant_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported", "introspection_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_methods_supported", "code_challenge_methods_supported", "prompt_values_supported",
    "acr_values_supported", "claims_supported", "claim_types_supported", "ui_locales_supported",
    "authorization_response_iss_parameter_supported", "require_pushed_authorization_requests",
    "request_parameter_supported", "request_uri_parameter_supported", "claims_parameter_supported",
    "backchannel_logout_supported", "backchannel_logout_session_supported",
}  # fmt: skip


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    """The discovery document."""
    found: dict[str, Any] = app.test_client().get("/.well-known/openid-configuration").get_json()
    return found


def works(user: FormBrowser, client: RelyingParty, **parameters: str) -> bool:
    """Whether an authorization request is not rejected."""
    response = user.get(client.request(**parameters))
    return "error=" not in response.headers.get("Location", "") and response.status_code < 400


def test_Q57_each_value_of_requests_works_and_others_fail(
    app: Flask, document: dict[str, Any], signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    def check(listed: Sequence[str], others: Sequence[str], name: str) -> None:
        assert [works(signed_in, handbook, **{name: value}) for value in listed] == [True] * len(listed), name
        assert [works(signed_in, handbook, **{name: value}) for value in others] == [False] * len(others), name

    execute_sql(app, "UPDATE users SET username = 'wren', language = 'de'")
    handbook.authorize(signed_in)
    check(document["response_types_supported"], ("token", "id_token", "code id_token"), "response_type")
    check(document["response_modes_supported"], ("fragment", "jwt", "form_post.jwt"), "response_mode")
    check(document["code_challenge_methods_supported"], ("plain", "s256"), "code_challenge_method")
    check(document["prompt_values_supported"], ("create", "NONE"), "prompt")
    for name in ("request", "request_uri", "claims"):
        assert document[f"{name}_parameter_supported"] is False
        assert works(signed_in, handbook, **{name: "{}"}) is (name == "claims")  # it is ignored
    assert document["scopes_supported"] == ["openid", "profile", "email", "address", "groups", "offline_access"]
    whole = handbook.sign_in(signed_in, scope=" ".join(document["scopes_supported"]) + " phone")
    assert whole["scope"].split() == document["scopes_supported"]
    identity, claims = claims_of(whole["id_token"]), handbook.userinfo(whole["access_token"]).get_json()
    assert identity.keys() | claims.keys() == {*document["claims_supported"], "at_hash"}
    assert document["claim_types_supported"] == ["normal"]
    assert document["authorization_response_iss_parameter_supported"] is True
    visitor = FormBrowser(app)
    assert answer_of(visitor.get(handbook.request(prompt="none")))["iss"] == document["issuer"]
    for locale in document["ui_locales_supported"]:
        assert f"lang={locale}" in visitor.get(handbook.request(ui_locales=locale)).headers["Location"]
    assert "lang=" not in visitor.get(handbook.request(ui_locales="tlh")).headers["Location"]


def test_Q57_each_value_of_clients_works_and_others_fail(
    app: Flask, document: dict[str, Any], signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    for grant in document["grant_types_supported"]:
        assert handbook.post("/oauth/token/", {"grant_type": grant}).get_json()["error"] != "unsupported_grant_type"
    for algorithm in document["id_token_signing_alg_values_supported"]:
        token = make_client(app, id_token_alg=algorithm).sign_in(signed_in)["id_token"]
        assert jwt.get_unverified_header(token)["alg"] == algorithm
    for wrong in ({"id_token_alg": "none"}, {"id_token_alg": "HS256"}, {"token_auth": "private_key_jwt"}):
        with pytest.raises(ValidationFailed):
            make_client(app, **wrong)
    paths = {
        "token": "/oauth/token/", "introspection": "/oauth/introspect/", "revocation": "/oauth/revoke/",
    }  # fmt: skip
    for name, path in paths.items():
        listed = document[f"{name}_endpoint_auth_methods_supported"]
        accepted = [method for method in ("none", "client_secret_basic", "client_secret_post", "client_secret_jwt")
                    if authenticates(app, method, path)]  # fmt: skip
        assert accepted == listed, name
    subjects = {claims_of(make_client(app).sign_in(signed_in)["id_token"])["sub"] for _client in range(2)}
    assert (document["subject_types_supported"], len(subjects)) == (["public"], 1)
    levels = set()
    for amr in ("pwd", "pwd otp mfa"):
        execute_sql(app, "UPDATE login_sessions SET amr = :amr", amr=amr)
        levels.add(claims_of(handbook.sign_in(signed_in)["id_token"])["acr"])
    assert levels == set(document["acr_values_supported"])
    assert document["require_pushed_authorization_requests"] is False
    assert document["issuer"] == "http://accounts.example.com"
    for name in (key for key in document if key.endswith("_endpoint") or key == "jwks_uri"):
        url = str(document[name])
        assert url.startswith("http://accounts.example.com/")
        assert app.test_client().get(url.removeprefix("http://accounts.example.com")).status_code != 404, name


def test_Q57_every_member_of_the_document_is_checked(app: Flask, document: dict[str, Any]) -> None:
    assert document.keys() == MEMBERS
    assert app.test_client().get("/.well-known/oauth-authorization-server").get_json() == document


def authenticates(app: Flask, method: str, path: str) -> bool:
    """Whether a client that is registered for a method can authenticate in this way at an endpoint."""
    try:
        client = make_client(app, kind="spa" if method == "none" else "web", token_auth=method)
    except ValidationFailed:
        return False
    form, headers = {"token": "unknown", "grant_type": "refresh_token", "refresh_token": "unknown"}, {}
    if method == "client_secret_basic":
        headers["Authorization"] = basic(client.client_id, str(client.secret))
    else:
        form |= {"client_id": client.client_id, **({"client_secret": client.secret} if client.secret else {})}
    response = app.test_client().post(path, data=form, headers=headers)
    return response.status_code != 401
