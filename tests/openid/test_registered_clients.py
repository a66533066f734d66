"""What clients are registered for: tokens of their own, pushed requests, scripts, RS256, and their secrets."""

from contextlib import nullcontext

import jwt
import pytest
from flask import Flask

from tests.support.form_browser import FormBrowser
from tests.support.relying_party import RelyingParty, claims_of, make_client
from tests.support.sql import execute_sql, fetch_rows
from userapi.core.db import db
from userapi.core.problems import ValidationFailed
from userapi.openid import clients


def test_Q46_a_machine_gets_tokens_of_its_own_for_its_own_scopes(app: Flask, handbook: RelyingParty) -> None:
    resource = "https://reports.example.com"
    machine = make_client(app, kind="machine", scopes="reports:read reports:write", resources=[resource])
    page = make_client(app, name="Page", kind="spa")
    form = {"grant_type": "client_credentials", "scope": "reports:read", "resource": resource}

    issued = machine.post("/oauth/token/", form).get_json()

    assert issued.keys() == {"access_token", "token_type", "expires_in", "scope"}
    claims = claims_of(issued["access_token"])
    assert (claims["sub"], claims["aud"], claims["scope"]) == (machine.client_id, resource, "reports:read")
    assert machine.introspect(issued["access_token"])["active"] is True
    plain = machine.post("/oauth/token/", {"grant_type": "client_credentials"}).get_json()
    assert machine.userinfo(plain["access_token"]).status_code == 403
    for scope in ("openid", "profile", "other"):
        assert machine.post("/oauth/token/", {**form, "scope": scope}).get_json()["error"] == "invalid_scope"
    elsewhere = machine.post("/oauth/token/", {**form, "resource": "https://orders.example.com"})
    assert elsewhere.get_json()["error"] == "invalid_target"
    for other in (page, handbook):
        assert other.post("/oauth/token/", form).get_json()["error"] == "unauthorized_client"


def test_Q48_a_pushed_request_is_used_once_by_its_client_and_alone(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    wiki = make_client(app, name="Wiki", requires_par=True)
    handbook.authorize(signed_in)

    def push(client: RelyingParty) -> str:
        pushed = client.push()
        assert (pushed.status_code, pushed.get_json()["expires_in"]) == (201, 60), pushed.text
        return str(pushed.get_json()["request_uri"])

    def go(client: RelyingParty, uri: str, more: str = "") -> int:
        path = f"/oauth/authorize/?client_id={client.client_id}&request_uri={uri}{more}"
        response = signed_in.get(path)
        return 303 if "code=" in response.headers.get("Location", "") else response.status_code

    first = push(handbook)
    assert go(handbook, first, "&state=other") == 400
    assert go(wiki, first) == 400
    assert go(handbook, first) == 303
    assert go(handbook, first) == 400
    late = push(handbook)
    execute_sql(app, "UPDATE openid_authorizations SET expires_at = created_at WHERE is_pushed")
    assert go(handbook, late) == 400
    assert "error=invalid_request" in signed_in.get(wiki.request()).headers["Location"]
    wanted = push(wiki)
    assert signed_in.get(f"/oauth/authorize/?client_id={wiki.client_id}&request_uri={wanted}").status_code == 303


def test_Q49_scripts_of_the_origins_of_a_client_may_call_without_cookies(app: Flask, signed_in: FormBrowser) -> None:
    page = make_client(app, kind="spa", origins=["https://Page.example.com:443"])  # is stored as browsers send it
    tokens = page.sign_in(signed_in)
    client = app.test_client()

    def allowed(method: str, path: str, origin: str, **options: object) -> str | None:
        headers = {"Origin": origin, **options.pop("headers", {})}  # type: ignore[dict-item]
        response = client.open(path, method=method, headers=headers, **options)  # type: ignore[arg-type]
        assert "Access-Control-Allow-Credentials" not in response.headers
        return response.headers.get("Access-Control-Allow-Origin")

    ours, theirs = "https://page.example.com", "https://evil.example"
    for public in ("/.well-known/openid-configuration", "/.well-known/jwks.json"):
        assert allowed("GET", public, theirs) == "*"
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": page.client_id}
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert allowed("OPTIONS", "/oauth/token/", ours) == ours
    assert allowed("OPTIONS", "/oauth/token/", theirs) is None
    assert allowed("POST", "/oauth/token/", theirs, data={**refresh, "refresh_token": "x"}) is None
    assert allowed("POST", "/oauth/token/", ours, data=refresh) == ours
    assert allowed("GET", "/oauth/userinfo/", ours, headers=bearer) == ours
    assert allowed("GET", "/oauth/userinfo/", theirs, headers=bearer) is None
    assert allowed("GET", "/.well-known/openid-configuration", theirs) == "*"


@pytest.mark.parametrize(
    ("resource", "is_accepted"),
    [
        ("http://accounts.example.com.au/reports", True),
        ("http://accounts.example.com:8080/reports", True),
        ("http://accounts.example.com/userapi/", False),
        ("HTTP://Accounts.example.com:80/userapi/", False),
    ],
)
def test_a_resource_is_no_url_of_this_service(app: Flask, resource: str, is_accepted: bool) -> None:
    with nullcontext() if is_accepted else pytest.raises(ValidationFailed):
        make_client(app, resources=[resource])


def test_Q51_a_client_gets_RS256_if_it_is_registered_for_that(app: Flask, signed_in: FormBrowser) -> None:
    old = make_client(app, id_token_alg="RS256")
    token = old.sign_in(signed_in)["id_token"]
    header = jwt.get_unverified_header(token)
    keys = {key["kid"]: key for key in app.test_client().get("/.well-known/jwks.json").get_json()["keys"]}

    key = keys[header["kid"]]
    assert (header["alg"], key["kty"], key["alg"], key["use"]) == ("RS256", "RSA", "RS256", "sig")
    assert [each.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"} for each in keys.values()] == [set()] * len(keys)
    claims = jwt.decode(token, jwt.PyJWK(key).key, algorithms=["RS256"], audience=old.client_id)
    assert claims["nonce"] == "nonce of the client"


def test_Q55_the_secret_before_is_accepted_for_its_grace_only(app: Flask, handbook: RelyingParty) -> None:
    before, form = handbook.secret, {"token": "unknown"}

    def rotate(grace: int) -> None:
        with app.app_context():
            handbook.secret = clients.rotate_secret(handbook.client_id, grace)
            db.session.commit()

    def status(secret: str | None) -> int:
        used = RelyingParty(app, handbook.client_id, secret)
        return used.post("/oauth/introspect/", form).status_code

    rotate(600)
    assert (status(handbook.secret), status(before)) == (200, 200)
    execute_sql(app, "UPDATE openid_clients SET previous_secret_until = created_at")
    assert (status(handbook.secret), status(before)) == (200, 401)
    second = handbook.secret
    rotate(0)
    assert (status(handbook.secret), status(second)) == (200, 401)
    assert not [row for row in fetch_rows(app, "SELECT * FROM openid_clients") if str(handbook.secret) in str(row)]
