"""How clients authenticate: the encoding of their credentials, the way they are registered for, and the throttle."""

from functools import partial
from urllib.parse import quote

import pytest
from flask import Flask

from tests.support.form_browser import FormBrowser
from tests.support.race import run_simultaneously
from tests.support.relying_party import RelyingParty, basic, make_client
from tests.support.sql import execute_sql
from userapi.openid.client_secrets import Use, digest

#: A secret with characters that Basic and forms reserve.
RESERVED = "a+b c:d%e&f=g/hü"

REFRESH = {"grant_type": "refresh_token", "refresh_token": "unknown"}


def test_Q12_credentials_are_form_encoded_in_the_authorization_header(app: Flask, handbook: RelyingParty) -> None:
    execute_sql(app, "UPDATE openid_clients SET secret_digest = :digest", digest=digest(Use.CLIENT, RESERVED))
    encoded = quote(RESERVED, safe="")

    accepted = [encoded, encoded.replace("%20", "+")]
    errors = []
    for secret in (*accepted, RESERVED, quote(encoded)):
        headers = {"Authorization": basic(handbook.client_id, secret)}
        errors.append(app.test_client().post("/oauth/token/", data=REFRESH, headers=headers).get_json()["error"])

    assert errors == ["invalid_grant", "invalid_grant", "invalid_client", "invalid_client"]


def test_Q13_a_client_authenticates_only_in_the_way_that_it_is_registered_for(app: Flask) -> None:
    by_post, page = make_client(app, token_auth="client_secret_post"), make_client(app, name="Page", kind="spa")
    in_body = {"client_id": by_post.client_id, "client_secret": str(by_post.secret)}

    def error(form: dict[str, str], header: str = "") -> str:
        headers = {"Authorization": header} if header else {}
        response = app.test_client().post("/oauth/token/", data={**REFRESH, **form}, headers=headers)
        found: str = response.get_json()["error"]
        return found

    assert error(in_body) == "invalid_grant"
    assert error({}, basic(by_post.client_id, str(by_post.secret))) == "invalid_client"
    assert error({"client_id": by_post.client_id}) == "invalid_client"
    assert error({"client_id": page.client_id}) == "invalid_grant"
    assert error({"client_id": page.client_id, "client_secret": "any"}) == "invalid_client"
    assert error({}, basic(page.client_id, "")) == "invalid_client"


def test_Q14_wrong_secrets_are_limited_also_in_parallel_and_right_ones_from_elsewhere_are_accepted(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    app.config["RATELIMIT_ENABLED"] = True
    tokens, wiki = handbook.sign_in(signed_in), make_client(app, name="Wiki")
    guess = RelyingParty(app, handbook.client_id, "wrong")

    responses = run_simultaneously([partial(guess.refresh, "unknown")] * 40)

    assert sorted(response.status_code for response in responses) == [401] * 20 + [429] * 20
    limited = handbook.refresh(tokens["refresh_token"])
    assert (limited.status_code, limited.get_json()["error"]) == (429, "temporarily_unavailable")
    assert int(limited.headers["Retry-After"]) > 0
    assert wiki.refresh("unknown").get_json()["error"] == "invalid_grant"
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    elsewhere = handbook.post("/oauth/token/", form, environ_overrides={"REMOTE_ADDR": "203.0.113.7"})
    assert elsewhere.status_code == 200


@pytest.mark.both
def test_Q11_a_client_id_that_no_database_stores_is_unknown(app: Flask, handbook: RelyingParty) -> None:
    client = app.test_client()

    in_body = client.post("/oauth/token/", data={**REFRESH, "client_id": "a\x00b"})
    headers = {"Authorization": basic("a%00b", "secret")}
    in_header = client.post("/oauth/token/", data=REFRESH, headers=headers)

    assert (in_body.status_code, in_body.get_json()["error"]) == (400, "invalid_request")
    assert (in_header.status_code, in_header.get_json()["error"]) == (401, "invalid_client")
    assert handbook.refresh("\x00").status_code == 400
