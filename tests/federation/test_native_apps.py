"""ID tokens that apps get from a provider's SDK."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.fake_provider import CLIENT_ID, ISSUER, SETTINGS, FakeProvider
from tests.support.id_tokens import FOREIGN, RSA, claims_of, sign
from tests.support.visits import failures
from userapi.core import clock
from userapi.core.db import db
from userapi.federation import native
from userapi.federation.assertions import Assertion
from userapi.federation.problems import ProviderAnswerInvalid, UnknownProvider
from userapi.federation.visits import LIFETIME

APP = "com.example.app"


@pytest.fixture
def native_app(make_app: Callable[..., Flask], acme: FakeProvider) -> Flask:
    """A service that accepts the ID tokens of one app."""
    return make_app(**SETTINGS, PROVIDER_ACME_NATIVE_CLIENT_IDS=APP)


def get_nonce(app: Flask) -> str:
    with app.test_request_context():
        nonce = native.issue_nonce(app.config["PROVIDERS"][0]).nonce
        db.session.commit()
        return nonce


def send(app: Flask, token: str, nonce: str, **options: Any) -> Assertion:
    with app.test_request_context():
        try:
            return native.prove_id_token(app.config["PROVIDERS"][0], token, nonce, **options)[1]
        finally:
            db.session.commit()


def token_for(nonce: str, **claims: Any) -> str:
    return sign(claims_of(ISSUER, APP, nonce, **claims))


def test_I45_accepts_a_token_with_our_nonce_or_its_hash_once(native_app: Flask) -> None:
    for change in (lambda nonce: nonce, lambda nonce: hashlib.sha256(nonce.encode()).hexdigest()):
        nonce = get_nonce(native_app)
        token = token_for(change(nonce), email="wren@example.org", email_verified=True)

        assertion = send(native_app, token, nonce, first_name=" Wren ", last_name="\0")

        assert (assertion.issuer, assertion.email_trusted, assertion.first_name) == (ISSUER, True, "Wren")
        assert assertion.last_name == ""
        with pytest.raises(ProviderAnswerInvalid):
            send(native_app, token, nonce)


def test_I45_rejects_other_nonces_tokens_of_other_apps_and_access_tokens(
    native_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: list[tuple[Callable[[str], str], str]] = [
        (lambda nonce: token_for("another"), "ID token: nonce"),
        (lambda nonce: sign(claims_of(ISSUER, APP, nonce, nonce=None)), "ID token: nonce"),
        (lambda nonce: token_for(nonce, aud="com.example.other"), "ID token: audience"),
        (lambda nonce: token_for(nonce, aud=CLIENT_ID), "ID token: audience"),
        (lambda nonce: token_for(nonce, aud=[APP, CLIENT_ID], azp=CLIENT_ID), "ID token: authorized party"),
        (lambda nonce: "an-opaque-access-token", "ID token: ID token malformed"),
        (lambda nonce: sign(claims_of(ISSUER, APP, nonce), FOREIGN), "ID token: signature"),
    ]

    for make_token, _reason in wrong:
        nonce = get_nonce(native_app)
        with pytest.raises(ProviderAnswerInvalid):
            send(native_app, make_token(nonce), nonce)
    with pytest.raises(ProviderAnswerInvalid):
        send(native_app, token_for("invented"), "invented")
    nonce, later = get_nonce(native_app), clock.now() + LIFETIME
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(ProviderAnswerInvalid):
        send(native_app, token_for(nonce), nonce)
    assert failures(native_app) == [*(reason for _make, reason in wrong), *["nonce not issued"] * 2]


def test_I45_checks_the_access_token_that_came_with_it(native_app: Flask) -> None:
    nonce = get_nonce(native_app)

    with pytest.raises(ProviderAnswerInvalid):
        send(native_app, token_for(nonce, at_hash="another"), nonce, access_token="access")


def test_I46_a_token_of_another_issuer_causes_no_request_to_it(native_app: Flask, acme: FakeProvider) -> None:
    nonce = get_nonce(native_app)
    token = sign(claims_of("https://evil.example", APP, nonce), RSA)

    with pytest.raises(ProviderAnswerInvalid):
        send(native_app, token, nonce)
    assert failures(native_app) == ["ID token: issuer"]
    assert all(url.startswith(f"{ISSUER}/") for url, _fields in acme.requests)


def test_I46_an_invented_nonce_causes_no_request_at_all(native_app: Flask, acme: FakeProvider) -> None:
    with pytest.raises(ProviderAnswerInvalid):
        send(native_app, token_for("invented"), "invented")
    assert acme.requests == []


def test_I45_a_provider_without_apps_accepts_no_tokens(provider_app: Flask) -> None:
    with pytest.raises(UnknownProvider):
        get_nonce(provider_app)
    with pytest.raises(UnknownProvider):
        send(provider_app, token_for("nonce"), "nonce")
