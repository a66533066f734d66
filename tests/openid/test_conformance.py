"""What the conformance tests of the OpenID Foundation check and no other test here: `docs/openid-conformance.md`."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from flask import Flask

from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.relying_party import RelyingParty, answer_of, claims_of, make_client

BYE = "https://handbook.example.com/bye"

NAME = '{"userinfo": {"name": {"essential": true}}}'


@pytest.mark.parametrize(
    "change",
    [
        {"extra": "foobar"},
        {"display": "page"},
        {"display": "popup"},
        {"claims_locales": "se"},
        {"ui_locales": "se"},
        {"login_hint": "buffy@example.com"},
        {"acr_values": "1 2"},
        {"claims": NAME},
        {"claims": NAME + " " * 5000},
    ],
    ids=["extra", "page", "popup", "claims_locales", "ui_locales", "login_hint", "acr_values", "claims", "long claims"],
)
def test_a_parameter_that_changes_nothing_is_no_error(
    change: dict[str, str], app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    assert handbook.sign_in(signed_in, **change)["id_token"]
    assert urlsplit(FormBrowser(app).get(handbook.request(**change)).headers["Location"]).path == "/login/"


def test_a_request_without_a_response_type_gets_an_error(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    assert answer_of(signed_in.get(handbook.request(response_type=None)))["error"] == "invalid_request"


def test_the_order_of_scopes_and_parameters_does_not_matter(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    handbook.authorize(signed_in, scope="openid email")
    path, _mark, query = handbook.request(scope="email openid").partition("?")
    reversed_order = urlencode(list(reversed(parse_qsl(query))))

    tokens = handbook.exchange(answer_of(signed_in.get(f"{path}?{reversed_order}"))["code"]).get_json()

    assert handbook.userinfo(tokens["access_token"]).get_json().keys() == {"sub", "email", "email_verified"}


def test_a_request_without_a_nonce_gets_an_id_token_without_one(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    assert "nonce" not in claims_of(handbook.sign_in(signed_in, nonce=None)["id_token"])


def test_a_client_may_send_its_request_as_a_form(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    handbook.authorize(signed_in)
    path, _mark, query = handbook.request().partition("?")

    response = signed_in.follow(signed_in.post(path, dict(parse_qsl(query))))

    assert handbook.exchange(answer_of(response)["code"]).status_code == 200


@pytest.mark.parametrize(
    ("change", "is_hinted"),
    [({"prompt": "none"}, False), ({"prompt": "none"}, True), ({"max_age": "10000"}, False)],
    ids=["prompt", "hint", "max_age"],
)
def test_a_second_sign_in_that_needs_no_proof_is_about_the_first(
    change: dict[str, str], is_hinted: bool, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    first = handbook.sign_in(signed_in, max_age="15000")["id_token"]
    hint = {"id_token_hint": first} if is_hinted else {}

    answer = answer_of(signed_in.get(handbook.request(**change, **hint)))
    second = handbook.exchange(answer["code"]).get_json()["id_token"]

    assert [claims_of(second)[name] for name in ("sub", "auth_time")] == [
        claims_of(first)[name] for name in ("sub", "auth_time")
    ]


def test_a_refreshed_id_token_is_about_the_same_sign_in(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    first = handbook.sign_in(signed_in)
    refreshed = handbook.refresh(first["refresh_token"]).get_json()
    before, after = claims_of(first["id_token"]), claims_of(refreshed["id_token"])

    assert refreshed["access_token"] != first["access_token"]
    for name in ("iss", "sub", "aud", "azp", "auth_time", "sid"):
        assert after[name] == before[name], name
    assert "nonce" not in after


def test_a_client_may_send_its_secret_in_the_body(app: Flask, signed_in: FormBrowser) -> None:
    client = make_client(app, token_auth="client_secret_post")
    secret, client.secret = str(client.secret), None

    response = client.exchange(client.authorize(signed_in)["code"], client_secret=secret)

    assert response.status_code == 200
    assert claims_of(response.get_json()["id_token"])["aud"] == client.client_id


def test_the_level_that_was_reached_is_one_of_those_that_can_be_requested(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    offered = app.test_client().get("/.well-known/openid-configuration").get_json()["acr_values_supported"]

    token = handbook.sign_in(signed_in, acr_values=" ".join(offered))["id_token"]

    assert offered == ["aal1", "aal2"]
    assert claims_of(token)["acr"] == "aal1"


@pytest.mark.parametrize("names", [(), ("state",), ("id_token_hint",), ("id_token_hint", "state")])
def test_a_user_who_is_sent_here_to_sign_out_without_a_way_back_stays_here(
    names: tuple[str, ...], app: Flask, signed_in: FormBrowser
) -> None:
    wiki = make_client(app, post_logout_redirect_uris=[BYE])
    values = {"state": "x" * 128, "id_token_hint": wiki.sign_in(signed_in)["id_token"]}
    sent = {name: values[name] for name in names}
    page = signed_in.get(f"/oauth/logout/?{urlencode(sent)}")

    left = signed_in.post("/oauth/logout/confirm/", {**sent, "csrf_token": hidden_value(page)})

    assert (left.status_code, urlsplit(left.headers["Location"]).path) == (303, "/logout/")
    assert answer_of(signed_in.get(wiki.request(prompt="none")))["error"] == "login_required"


@pytest.mark.parametrize("state", ["x" * 128, None], ids=["state", "no state"])
def test_a_user_who_signs_out_returns_with_the_state_of_the_client(
    state: str | None, app: Flask, signed_in: FormBrowser
) -> None:
    wiki = make_client(app, post_logout_redirect_uris=[BYE])
    sent: dict[str, Any] = {
        "id_token_hint": wiki.sign_in(signed_in)["id_token"], "post_logout_redirect_uri": BYE,
        **({"state": state} if state else {}),
    }  # fmt: skip
    page = signed_in.get(f"/oauth/logout/?{urlencode(sent)}")

    left = signed_in.post("/oauth/logout/confirm/", {**sent, "csrf_token": hidden_value(page)})

    assert answer_of(left) == ({"state": state} if state else {})
    assert answer_of(signed_in.get(wiki.request(prompt="none")))["error"] == "login_required"


def test_no_one_returns_to_a_registered_url_with_a_query_that_is_not(app: Flask, signed_in: FormBrowser) -> None:
    wiki = make_client(app, post_logout_redirect_uris=[BYE])
    hint = wiki.sign_in(signed_in)["id_token"]
    sent = {"id_token_hint": hint, "post_logout_redirect_uri": f"{BYE}?foo=bar"}

    response = signed_in.get(f"/oauth/logout/?{urlencode(sent)}")

    assert (response.status_code, "Location" in response.headers) == (400, False)


def test_the_discovery_document_offers_logout_by_back_channel(app: Flask) -> None:
    document = app.test_client().get("/.well-known/openid-configuration").get_json()

    assert document["backchannel_logout_supported"] is True
    assert document["backchannel_logout_session_supported"] is True
    assert document["end_session_endpoint"] == f"{document['issuer']}/oauth/logout/"
