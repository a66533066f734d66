"""What access tokens of clients give: userinfo, introspection, revocation; and what they never give."""

import uuid
from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.factories import PASSWORD
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.relying_party import RelyingParty, claims_of, make_client
from tests.support.sql import execute_sql, fetch_rows
from userapi.openid import openid_tokens


def own_tokens(app: Flask, email: str) -> dict[str, str]:
    """Tokens of the API."""
    response = app.test_client().post("/api-token-auth/", json={"email": email, "password": PASSWORD})
    found: dict[str, str] = response.get_json()
    return found


def test_Q23_an_id_token_is_no_access_token(app: Flask, signed_in: FormBrowser, handbook: RelyingParty) -> None:
    token = handbook.sign_in(signed_in)["id_token"]
    bearer = {"Authorization": f"Bearer {token}"}

    assert app.test_client().get("/userapi/auth/user/", headers=bearer).status_code == 401
    assert handbook.userinfo(token).status_code == 401
    assert handbook.introspect(token) == {"active": False}
    reset = {"token": token, "new_password": "another long password 7"}
    assert app.test_client().post("/userapi/auth/password/reset/confirm/", json=reset).status_code in (400, 404, 405)


def test_Q24_our_own_tokens_open_nothing_here(
    app: Flask, email: str, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    pair = own_tokens(app, email)
    cookie = signed_in.cookie("access_token").value

    for token in (pair["access_token"], pair["refresh_token"], cookie):
        assert handbook.userinfo(token).status_code == 401
        assert handbook.introspect(token) == {"active": False}
        assert handbook.refresh(token).status_code == 400
        assert "error=" in signed_in.get(handbook.request(id_token_hint=token)).headers["Location"]


def test_Q25_tokens_of_clients_open_nothing_of_the_api(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    tokens = handbook.sign_in(signed_in)

    for token in (tokens["access_token"], tokens["refresh_token"]):
        client = app.test_client()
        assert client.get("/userapi/auth/user/", headers={"Authorization": f"Bearer {token}"}).status_code == 401
        assert client.post("/api-token-verify/", json={"token": token}).status_code == 401
        assert client.post("/api-token-refresh/", json={"refresh_token": token}).status_code == 401
        client.set_cookie("access_token", token)
        assert client.get("/userapi/auth/user/").status_code == 401


def test_Q26_a_logout_token_is_neither_an_access_token_nor_a_hint(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    claims = claims_of(handbook.sign_in(signed_in)["id_token"])
    with app.app_context():
        token = openid_tokens.make_logout_token(handbook.client_id, claims["sub"], claims["sid"], "ES256")

    assert handbook.userinfo(token).status_code == 401
    assert "error=" in signed_in.get(handbook.request(id_token_hint=token)).headers["Location"]
    assert "typ" not in claims


#: Each way in which the session of a signed-in user ends.
ENDS: dict[str, Callable[[Flask, FormBrowser], object]] = {
    "sign-out": lambda _app, user: user.post("/logout/", {"csrf_token": hidden_value(user.get("/logout/"))}),
    "ended": lambda app, _user: execute_sql(app, "UPDATE login_sessions SET ended_at = created_at"),
    "all ended": lambda app, _user: execute_sql(app, "UPDATE users SET session_version = session_version + 1"),
    "deactivated": lambda app, _user: execute_sql(app, "UPDATE users SET is_active = false"),
    "expired": lambda app, _user: execute_sql(app, "UPDATE login_sessions SET expires_at = created_at"),
    "unused": lambda app, _user: execute_sql(app, "UPDATE login_sessions SET last_used_at = '2026-01-01 00:00:00'"),
    "deleted session": lambda app, _user: execute_sql(app, "DELETE FROM login_sessions"),
    "deleted user": lambda app, _user: execute_sql(app, "DELETE FROM users"),
    "client disabled": lambda app, _user: execute_sql(app, "UPDATE openid_clients SET disabled_at = created_at"),
    "client deleted": lambda app, _user: execute_sql(app, "DELETE FROM openid_clients"),
}


@pytest.mark.both
@pytest.mark.parametrize("end", [pytest.param(end, id=name) for name, end in ENDS.items()])
def test_Q29_Q34_when_the_session_or_the_client_ends_its_tokens_end_at_the_next_request(
    end: Callable[[Flask, FormBrowser], object], app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    tokens = handbook.sign_in(signed_in)
    other = make_client(app, name="Monitor")
    assert handbook.userinfo(tokens["access_token"]).status_code == 200

    end(app, signed_in)

    assert handbook.userinfo(tokens["access_token"]).status_code == 401
    assert handbook.refresh(tokens["refresh_token"]).status_code in (400, 401)
    introspected = handbook.post("/oauth/introspect/", {"token": tokens["access_token"]})
    assert introspected.status_code == 401 or introspected.get_json() == {"active": False}
    assert other.client_id


def test_Q31_only_a_confidential_client_learns_of_its_own_tokens(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    page, wiki = make_client(app, name="Page", kind="spa"), make_client(app, name="Wiki")
    tokens = handbook.sign_in(signed_in)
    of_page = page.sign_in(signed_in)

    assert handbook.introspect(tokens["access_token"])["active"] is True
    assert handbook.introspect(tokens["refresh_token"])["active"] is True
    assert wiki.introspect(tokens["access_token"]) == {"active": False}
    assert page.post("/oauth/introspect/", {"token": of_page["access_token"]}).status_code == 401
    anonymous = app.test_client().post("/oauth/introspect/", data={"token": tokens["access_token"]})
    assert anonymous.status_code == 401


def test_Q31_the_api_that_a_token_is_for_may_introspect_it(app: Flask, signed_in: FormBrowser) -> None:
    resource = "https://reports.example.com"
    handbook = make_client(app, resources=[resource])
    reports = make_client(app, name="Reports", kind="machine", resources=[resource], scopes="reports:read")
    token = handbook.sign_in(signed_in, resource=resource)["access_token"]

    assert claims_of(token)["aud"] == resource
    assert reports.introspect(token)["active"] is True
    assert handbook.userinfo(token).status_code == 401


def test_Q32_a_client_revokes_its_own_tokens_only(app: Flask, signed_in: FormBrowser, handbook: RelyingParty) -> None:
    wiki = make_client(app, name="Wiki")
    tokens = handbook.sign_in(signed_in)

    by_other = wiki.post("/oauth/revoke/", {"token": tokens["refresh_token"]})
    unknown = handbook.post("/oauth/revoke/", {"token": "unknown"})
    assert (by_other.status_code, unknown.status_code) == (200, 200)
    assert handbook.userinfo(tokens["access_token"]).status_code == 200

    assert handbook.post("/oauth/revoke/", {"token": tokens["refresh_token"]}).status_code == 200
    assert handbook.userinfo(tokens["access_token"]).status_code == 401
    assert handbook.refresh(tokens["refresh_token"]).status_code == 400


def test_Q33_userinfo_gives_the_claims_of_the_scopes_and_no_others(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    execute_sql(app, "UPDATE users SET first_name = 'Ada', last_name = 'Lovelace', language = 'de'")
    execute_sql(app, "UPDATE user_profiles SET address = '12 Pulteney Street', city = 'Bath', zip = 'BA2 4'")

    alone = handbook.sign_in(signed_in, scope="openid")
    whole = handbook.sign_in(signed_in, scope="openid profile email address groups")

    assert handbook.userinfo(alone["access_token"]).get_json().keys() == {"sub"}
    found = handbook.userinfo(whole["access_token"]).get_json()
    assert found["name"] == "Ada Lovelace"
    assert found["locale"] == "de"
    assert found["address"]["locality"] == "Bath"
    assert found["address"]["formatted"].startswith("12 Pulteney Street\nBA2 4 Bath")
    allowed = {"sub", "name", "given_name", "family_name", "preferred_username", "birthdate", "locale", "email"}
    assert found.keys() <= allowed | {"email_verified", "address", "groups"}


def test_Q33_userinfo_takes_a_bearer_token_in_the_header_only(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    token = handbook.sign_in(signed_in)["access_token"]
    client = app.test_client()

    in_url = client.get(f"/oauth/userinfo/?access_token={token}")
    in_body = client.post("/oauth/userinfo/", data={"access_token": token})
    by_post = client.post("/oauth/userinfo/", headers={"Authorization": f"Bearer {token}"})

    assert [each.status_code for each in (in_url, in_body, by_post)] == [401, 401, 200]
    assert in_url.headers["WWW-Authenticate"] == 'Bearer realm="userapi"'


def test_Q33_claims_are_in_the_id_token_of_clients_that_do_not_read_userinfo(
    app: Flask, email: str, signed_in: FormBrowser
) -> None:
    streamlit = make_client(app, claims_in_id_token=True)

    assert claims_of(streamlit.sign_in(signed_in)["id_token"])["email"] == email


def test_Q56_two_clients_know_one_session_by_different_names(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    wiki = make_client(app, name="Wiki")
    tokens = [handbook.sign_in(signed_in), wiki.sign_in(signed_in)]
    (session,) = fetch_rows(app, "SELECT id FROM login_sessions")

    first, second = (claims_of(each["id_token"]) for each in tokens)
    assert first["sid"] != second["sid"]
    assert first["sub"] == second["sub"]
    session_id = str(uuid.UUID(str(session[0])))
    for each in tokens:
        assert all(session_id not in str(claims_of(each[name])) for name in ("id_token", "access_token"))
