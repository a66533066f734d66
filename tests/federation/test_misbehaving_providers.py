"""Providers that answer wrongly, over HTTP and through the pages: no one is signed in, and the log says why.

`test_id_tokens.py` and `test_answers.py` test the rules themselves in more variants.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.email_delivery import MoveClock, clock_mover
from tests.support.fake_provider import CLIENT_ID, FakeProvider
from tests.support.form_browser import FormBrowser
from tests.support.id_tokens import EC, FOREIGN, RSA, at_hash, claims_of, forge, public_keys, sign
from tests.support.misbehaving_provider import misbehaving_provider, settings_for, use_providers
from tests.support.provider_visits import account_of, come_back, register, start, visit
from tests.support.raw_server import Respond, raw_server, respond_with, send_forever
from tests.support.visits import failures
from userapi.federation.metadata import MIN_TIME_BETWEEN_KEYS
from userapi.federation.visits import compute_challenge

LOVELACE = {"email": "ada@customers.example.com", "email_verified": True, "given_name": "Ada"}


@pytest.fixture
def acme() -> Iterator[FakeProvider]:
    """A provider on this machine that answers correctly, until a test changes it."""
    with misbehaving_provider() as provider:
        provider.claims = dict(LOVELACE)
        yield provider


@pytest.fixture
def provider_app(app: Flask, acme: FakeProvider) -> Flask:
    """An application whose users can sign in with it."""
    return use_providers(app, **settings_for(acme.issuer))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    """Moves the clock."""
    return clock_mover(monkeypatch)


@pytest.fixture
def firefox(provider_app: Flask) -> FormBrowser:
    """A browser that visits it."""
    return FormBrowser(provider_app)


def assert_rejected(app: Flask, firefox: FormBrowser, response: TestResponse, reason: str) -> None:
    """A page says that the answer was not accepted, nothing has begun, and the log has the reason."""
    assert response.status_code == 401, response.text
    assert "was not accepted" in response.text
    assert failures(app) == [reason]
    assert account_of(firefox) is None
    assert firefox.get("/register/acme/").status_code == 400


def nonce_in(url: str) -> str:
    """The nonce of a visit."""
    return parse_qs(urlsplit(url).query)["nonce"][0]


def test_a_provider_that_answers_correctly_signs_in(firefox: FormBrowser, acme: FakeProvider) -> None:
    assert visit(firefox, acme).headers["Location"] == "/register/acme/"


@pytest.mark.parametrize(
    ("answer", "reason"), [({"iss": "https://attacker.example"}, "another issuer"), ({"iss": None}, "no issuer")]
)
def test_I05_an_answer_of_another_issuer_costs_no_code(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider, answer: dict[str, Any], reason: str
) -> None:
    response = come_back(firefox, acme, start(firefox), **answer)

    assert_rejected(provider_app, firefox, response, reason)
    assert acme.urls("/token") == []


def test_I06_metadata_of_another_issuer_lead_nowhere(firefox: FormBrowser, acme: FakeProvider) -> None:
    acme.metadata = {"issuer": f"{acme.issuer}/"}
    response = firefox.send("/login/acme/", form_on="/login/")

    assert response.status_code == 401
    assert "refresh" not in response.text


PUBLIC_PEM = RSA.as_pem(private=False)
FOREIGN_KEY = public_keys(FOREIGN)[0]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda claims: forge(claims, "none"), "algorithm", id="I07 none"),
        pytest.param(lambda claims: forge(claims, "HS256", PUBLIC_PEM), "algorithm", id="I07 HMAC of the public key"),
        pytest.param(lambda claims: forge(claims, "XS999"), "algorithm", id="I07 unknown algorithm"),
        pytest.param(lambda claims: sign(claims, FOREIGN), "signature", id="I08 foreign signature"),
        pytest.param(lambda claims: sign(claims, kid="other"), "unknown key", id="I08 unknown key"),
        pytest.param(lambda claims: sign(claims, FOREIGN, jwk=FOREIGN_KEY), "header names a key", id="I08 jwk"),
        pytest.param(lambda claims: sign(claims, jku="https://attacker.example/"), "header names a key", id="I08 jku"),
        pytest.param(lambda claims: sign(claims)[:-6], "signature", id="I08 cut"),
        pytest.param(lambda claims: None, "no ID token", id="I13 no ID token"),
        pytest.param(lambda claims: "eyJ", "ID token malformed", id="I13 no token"),
    ],
)  # fmt: skip
def test_I07_I08_I13_a_token_that_is_not_signed_by_the_provider_is_rejected(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider, make: Callable[[dict[str, Any]], str], reason: str
) -> None:
    acme.metadata = {"id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]}
    acme.userinfo = {"sub": "248289761001", **LOVELACE}
    url = start(firefox)
    acme.token = {"id_token": make(claims_of(acme.issuer, CLIENT_ID, nonce_in(url), **LOVELACE))}
    response = come_back(firefox, acme, url)

    assert_rejected(provider_app, firefox, response, f"ID token: {reason}")
    assert len(acme.urls("/keys")) <= 1
    assert acme.urls("/me") == []


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({"nonce": None}, "nonce", id="I09 no nonce"),
        pytest.param({"nonce": "other"}, "nonce", id="I09 other nonce"),
        pytest.param({"aud": "another-client"}, "audience", id="I10 other audience"),
        pytest.param({"aud": [CLIENT_ID, "another-client"]}, "authorized party", id="I10 several without azp"),
        pytest.param({"azp": "another-client"}, "authorized party", id="I10 foreign azp"),
        pytest.param({"iss": "https://attacker.example"}, "issuer", id="I11 other issuer"),
        pytest.param({"exp": NOW - 120}, "expired", id="I12 expired"),
        pytest.param({"iat": NOW - 720}, "issued at another time", id="I12 old"),
        pytest.param({"iat": NOW + 3600, "exp": NOW + 7200}, "issued at another time", id="I12 future"),
        pytest.param({"exp": str(NOW + 300)}, "times", id="I12 text"),
        pytest.param({"at_hash": at_hash("another access token")}, "access token", id="I14 other access token"),
        pytest.param({"sub": ""}, "subject", id="I15 empty"),
        pytest.param({"sub": "x" * 300}, "subject", id="I15 long"),
        pytest.param({"sub": "a\0b"}, "subject", id="I15 NUL"),
        pytest.param({"sub": 248289761001}, "subject", id="I15 number"),
    ],
)
def test_I09_I10_I11_I12_I14_I15_a_token_about_something_else_is_rejected(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider, claims: dict[str, Any], reason: str
) -> None:
    acme.claims |= claims

    assert_rejected(provider_app, firefox, visit(firefox, acme), f"ID token: {reason}")


@pytest.mark.parametrize("change", [lambda issuer: f"{issuer}/", lambda issuer: issuer.upper()])
def test_I11_issuers_are_compared_character_by_character(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider, change: Callable[[str], str]
) -> None:
    acme.claims["iss"] = change(acme.issuer)

    assert_rejected(provider_app, firefox, visit(firefox, acme), "ID token: issuer")


def test_I12_a_clock_that_is_half_a_minute_off_is_accepted(firefox: FormBrowser, acme: FakeProvider) -> None:
    now = int(time.time())
    acme.claims |= {"iat": now + 30, "exp": now + 330}
    assert visit(firefox, acme).headers["Location"] == "/register/acme/"
    acme.claims |= {"iat": now - 330, "exp": now - 30}
    assert visit(firefox, acme).headers["Location"] == "/register/acme/"


def test_I14_an_email_of_another_user_in_userinfo_is_not_used(firefox: FormBrowser, acme: FakeProvider) -> None:
    acme.claims = {}
    acme.userinfo = {"sub": "another", **LOVELACE}
    assert visit(firefox, acme).headers["Location"] == "/register/acme/"
    assert LOVELACE["email"] not in firefox.get("/register/acme/").text

    acme.userinfo["sub"] = "248289761001"
    visit(firefox, acme)
    assert LOVELACE["email"] in firefox.get("/register/acme/").text


def test_I16_the_token_endpoint_gets_the_verifier_and_our_credentials(firefox: FormBrowser, acme: FakeProvider) -> None:
    acme.metadata = {"code_challenge_methods_supported": None}
    urls = [start(firefox), start(firefox)]
    queries = [parse_qs(urlsplit(url).query) for url in urls]
    come_back(firefox, acme, urls[1])
    fields = next(fields for url, fields in acme.requests if url.endswith("/token"))

    assert [query["code_challenge_method"] for query in queries] == [["S256"], ["S256"]]
    assert queries[0]["code_challenge"] != queries[1]["code_challenge"] == [compute_challenge(fields["code_verifier"])]
    assert fields["basic_auth"] == (CLIENT_ID, quote_plus("not so secret"))
    assert fields["redirect_uri"] == queries[1]["redirect_uri"][0]


def test_I17_a_stolen_code_is_rejected_even_if_the_provider_does_not_check_pkce(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider
) -> None:
    stolen = acme.visit(start(FormBrowser(provider_app)))["code"]
    url = start(firefox)
    acme.codes[stolen]["code_challenge"] = parse_qs(urlsplit(url).query)["code_challenge"][0]

    response = come_back(firefox, acme, url, code=stolen)
    assert_rejected(provider_app, firefox, response, "ID token: nonce")


@pytest.mark.parametrize("endpoint", ["token_endpoint", "jwks_uri"])
def test_I47_endpoints_on_private_ip_addresses_get_no_connection(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider, endpoint: str
) -> None:
    with raw_server(respond_with(b"{}"), "127.0.0.2") as inside:
        acme.metadata = {endpoint: f"https://127.0.0.2:{inside.port}/"}
        response = visit(firefox, acme)

    part = "token" if endpoint == "token_endpoint" else "keys"
    assert_rejected(provider_app, firefox, response, f"{part}: private IP address")
    assert inside.requests == []


def test_I48_a_redirect_of_the_token_endpoint_gets_neither_code_nor_secret(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider
) -> None:
    with raw_server(respond_with(b"{}")) as attacker:
        redirect = respond_with(b"", f"307 Temporary Redirect\r\nLocation: {attacker.url}/")
        with raw_server(redirect) as server:
            acme.metadata = {"token_endpoint": f"{server.url}/token"}
            response = visit(firefox, acme)

    assert_rejected(provider_app, firefox, response, "token: redirect")
    assert (len(server.requests), attacker.requests) == (1, [])


OK = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("respond", "status", "reason"),
    [
        pytest.param(send_forever(b"x" * 65536, OK), 401, "token: response too large", id="endless"),
        pytest.param(send_forever(b"x", OK, 0.05), 503, "unavailable", id="slow"),
        pytest.param(respond_with(b"[" * 100_000), 401, "token: not JSON", id="deep"),
        pytest.param(respond_with(b"\xff\xfe"), 401, "token: not JSON", id="bytes"),
        pytest.param(respond_with(b"[]"), 401, "token", id="list"),
    ],
)  # fmt: skip
def test_I49_a_token_endpoint_that_sends_too_much_too_slowly_or_nonsense_ends_the_sign_in(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider, respond: Respond, status: int, reason: str
) -> None:
    provider_app.config["OUTBOUND_TIMEOUT"] = 0.4
    with raw_server(respond) as server:
        acme.metadata = {"token_endpoint": f"{server.url}/token"}
        response = visit(firefox, acme)

    assert response.status_code == status
    assert failures(provider_app) == [reason]
    assert account_of(firefox) is None


def test_I51_a_new_key_is_accepted_immediately_and_a_withdrawn_one_until_the_cache_has_expired(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider, later: MoveClock
) -> None:
    register(firefox, acme)
    acme.keys, acme.signing = public_keys(EC), {"key": EC, "algorithm": "ES256"}
    later(MIN_TIME_BETWEEN_KEYS)
    assert visit(FormBrowser(provider_app), acme).headers["Location"] == "/account/"

    acme.signing = {"key": RSA}
    assert visit(FormBrowser(provider_app), acme).status_code == 401


def test_I52_while_the_provider_is_down_no_one_is_signed_in_with_cached_metadata(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider
) -> None:
    register(firefox, acme)
    again = FormBrowser(provider_app)
    url = start(again)
    acme.is_down = True
    response = come_back(again, acme, url)

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert account_of(again) is None
    assert start(FormBrowser(provider_app)).startswith(acme.issuer)
    assert again.get("/login/").status_code == 200


def test_no_connection_to_the_database_is_in_use_during_a_request_to_the_provider(
    provider_app: Flask, firefox: FormBrowser, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, found = provider_app.extensions["userapi-metrics"].registry, set()
    answer = acme.post_form

    def look_and_answer(*arguments: Any, **options: Any) -> Any:
        found.add(registry.get_sample_value("userapi_database_connections_in_use", {"use": "writing"}))
        return answer(*arguments, **options)

    monkeypatch.setattr(acme, "post_form", look_and_answer)
    visit(firefox, acme)

    assert found == {0}
