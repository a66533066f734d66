"""Signing in with a certified OpenID provider that runs beside the tests (npm `oidc-provider`)."""

import signal
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.form_browser import FormBrowser, input_value
from tests.support.id_tokens import EC, RSA, public_keys
from tests.support.misbehaving_provider import use_providers
from tests.support.oidc_provider import OidcProvider, oidc_provider
from tests.support.provider_visits import account_of, send_registration, start
from tests.support.visits import failures

pytestmark = pytest.mark.slow

REDIRECT_URI = "http://localhost/auth/callback/acme/"


@pytest.fixture(scope="module")
def certified() -> Iterator[OidcProvider]:
    """The provider with its usual options."""
    with oidc_provider(REDIRECT_URI) as provider:
        yield provider


def use(app: Flask, provider: OidcProvider, **settings: str) -> Flask:
    """Sign in with the provider, whose emails are trusted."""
    changed = {f"PROVIDER_ACME_{name}": value for name, value in {"TRUSTS_EMAIL": "true", **settings}.items()}
    return use_providers(app, SITE_URL="http://localhost", **{**provider.settings(), **changed})


def visit(browser: FormBrowser, provider: OidcProvider, following: str = "") -> TestResponse:
    """Go to the provider, sign in there, and come back."""
    parts = urlsplit(provider.visit(start(browser, following)))
    return browser.get(f"{parts.path}?{parts.query}")


@pytest.fixture
def firefox(app: Flask, certified: OidcProvider) -> FormBrowser:
    """A browser of an application whose users can sign in with it."""
    return FormBrowser(use(app, certified))


def test_a_user_registers_and_signs_in_again(firefox: FormBrowser, app: Flask, certified: OidcProvider) -> None:
    assert visit(firefox, certified).headers["Location"] == "/register/acme/"
    page = firefox.get("/register/acme/")
    assert (input_value(page, "first_name"), input_value(page, "last_name")) == ("Ada", "Lovelace")
    done = send_registration(firefox)
    assert (done.status_code, done.headers["Location"]) == (303, "/account/"), done.text
    mine = account_of(firefox)
    assert mine is not None
    assert (mine["email"], mine["email_verified"]) == ("ada@example.com", True)

    again = FormBrowser(app)
    assert visit(again, certified, "/account/devices/").headers["Location"] == "/account/devices/"
    assert (account_of(again) or {})["url"] == mine["url"]


def test_I40_a_user_who_cancels_reads_our_words(firefox: FormBrowser, certified: OidcProvider) -> None:
    certified.answer(error="access_denied")
    try:
        shown = visit(firefox, certified)
    finally:
        certified.answer(sub="ada")

    assert shown.status_code == 401
    assert "Sign-in was cancelled" in shown.text
    assert "<b>no</b>" not in shown.text
    assert "no&lt;/b&gt;" not in shown.text


def test_a_wrong_client_secret_is_named_in_the_log(firefox: FormBrowser, app: Flask, certified: OidcProvider) -> None:
    use(app, certified, CLIENT_SECRET="another secret")

    assert visit(firefox, certified).status_code == 401
    assert failures(app) == ["token: invalid_client"]


def test_I50_a_provider_that_stands_still_is_unavailable_until_it_goes_on(
    firefox: FormBrowser, app: Flask, certified: OidcProvider
) -> None:
    app.config["OUTBOUND_TIMEOUT"] = 1
    parts = urlsplit(certified.visit(start(firefox)))
    certified.process.send_signal(signal.SIGSTOP)
    try:
        shown = firefox.get(f"{parts.path}?{parts.query}")
    finally:
        certified.process.send_signal(signal.SIGCONT)

    assert shown.status_code == 503
    assert int(shown.headers["Retry-After"]) > 0
    assert visit(firefox, certified).headers["Location"] == "/register/acme/"


PEM = EC.as_pem(private=True).decode()
EC_KEY = {**public_keys(EC)[0], "alg": "ES256", "use": "sig"}


@pytest.mark.parametrize(
    ("client", "options", "settings"),
    [
        pytest.param({"token_endpoint_auth_method": "client_secret_post"}, {}, {"TOKEN_AUTH": "client_secret_post"},
                     id="client_secret_post"),
        pytest.param(
            {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
             "jwks": {"keys": [EC_KEY]}, "client_secret": None},
            {}, {"TOKEN_AUTH": "private_key_jwt", "KEY": PEM, "KEY_ID": "ec", "CLIENT_SECRET": ""},
            id="private_key_jwt",
        ),
        pytest.param({"id_token_signed_response_alg": "ES256"},
                     {"jwks": {"keys": [dict(EC.as_dict(private=True)), dict(RSA.as_dict(private=True))]},
                      "conformIdTokenClaims": False},
                     {}, id="ES256, and all claims in the ID token"),
    ],
)  # fmt: skip
def test_other_kinds_of_authentication_and_signatures_work(
    app: Flask, client: Mapping[str, Any], options: Mapping[str, Any], settings: dict[str, str]
) -> None:
    with oidc_provider(REDIRECT_URI, client=client, options=options) as provider:
        shown = visit(FormBrowser(use(app, provider, **settings)), provider)

    assert shown.headers.get("Location") == "/register/acme/", failures(app)
