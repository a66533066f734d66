"""What a provider sends back: the code, its exchange for tokens, metadata and keys."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.fake_provider import CLIENT_ID, ISSUER, SETTINGS, FakeProvider
from tests.support.id_tokens import EC, FOREIGN, RSA, public_keys
from tests.support.visits import BROWSER, answer, begin, failures, prove
from userapi.core import clock
from userapi.core.db import db
from userapi.federation import visits
from userapi.federation.metadata import LIFETIME, MIN_TIME_BETWEEN_KEYS
from userapi.federation.problems import ProviderAnswerInvalid, ProviderDeclined, ProviderUnavailable, VisitExpired
from userapi.security.throttling import TooManyRequests

SUBJECT = "248289761001"


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_I16_the_request_has_everything_and_the_answer_identifies_a_user(
    provider_app: Flask, acme: FakeProvider
) -> None:
    acme.claims = {"email": "wren@example.org", "email_verified": True, "given_name": "Wren", "family_name": "Okafor"}

    first, second = begin(provider_app), begin(provider_app)
    assertion = answer(provider_app, acme.visit(first.url))

    sent, other = query_of(first.url), query_of(second.url)
    assert first.url.startswith(f"{ISSUER}/authorize?")
    assert sent["redirect_uri"] == "https://accounts.example.com/auth/callback/acme/"
    assert (sent["response_type"], sent["client_id"], sent["scope"]) == ("code", CLIENT_ID, "openid email profile")
    assert sent["code_challenge_method"] == "S256"  # although the metadata do not mention it
    assert len({*sent.values()} & {*other.values()}) == 5  # state, nonce and challenge are never the same
    assert (assertion.issuer, assertion.subject) == (ISSUER, SUBJECT)
    assert (assertion.email, assertion.email_trusted) == ("wren@example.org", True)
    assert (assertion.first_name, assertion.last_name) == ("Wren", "Okafor")
    (form,) = [fields for url, fields in acme.requests if url.endswith("/token")]
    assert form["redirect_uri"] == sent["redirect_uri"]
    assert form["basic_auth"] == (CLIENT_ID, "not+so+secret")


def test_I16_the_provider_gets_the_verifier_of_this_visit_only(provider_app: Flask, acme: FakeProvider) -> None:
    mine, other = begin(provider_app), begin(provider_app)
    stolen = acme.visit(other.url)["code"]

    with pytest.raises(ProviderAnswerInvalid):
        answer(provider_app, {**acme.visit(mine.url), "code": stolen})
    assert failures(provider_app) == ["token: invalid_grant"]


def test_I17_rejects_a_stolen_code_by_its_nonce_if_the_provider_does_not_check_pkce(
    provider_app: Flask, acme: FakeProvider
) -> None:
    mine, other = begin(provider_app), begin(provider_app)
    stolen = acme.visit(other.url)["code"]
    acme.codes[stolen]["code_challenge"] = query_of(mine.url)["code_challenge"]

    with pytest.raises(ProviderAnswerInvalid):
        answer(provider_app, {**acme.visit(mine.url), "code": stolen})
    assert failures(provider_app) == ["ID token: nonce"]


def test_I05_checks_the_issuer_before_the_code_is_sent_anywhere(provider_app: Flask, acme: FakeProvider) -> None:
    for issuer in ("https://evil.example", f"{ISSUER}/", "", None):
        query = {**acme.visit(begin(provider_app).url), "iss": issuer}
        with pytest.raises(ProviderAnswerInvalid):
            answer(provider_app, {name: value for name, value in query.items() if value is not None})
    assert acme.urls("/token") == []


def test_I05_accepts_an_answer_without_issuer_of_a_provider_that_promises_none(
    provider_app: Flask, acme: FakeProvider
) -> None:
    acme.metadata = {"authorization_response_iss_parameter_supported": None}
    query = acme.visit(begin(provider_app).url)
    del query["iss"]

    assert answer(provider_app, query).subject == SUBJECT


def test_I06_rejects_metadata_of_another_issuer_and_unusable_ones(provider_app: Flask, acme: FakeProvider) -> None:
    for acme.metadata in (
        {"issuer": "https://login.evil.example"},
        {"issuer": f"{ISSUER}/"},
        {"issuer": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://login.acme.example/authorize"},
        {"token_endpoint": None},
        {"jwks_uri": 7},
        {"jwks_uri": "http://127.0.0.1/keys"},
        {"userinfo_endpoint": "https://a@login.acme.example/me"},
    ):
        with pytest.raises(ProviderAnswerInvalid):
            begin(provider_app)


def test_I07_rejects_an_unsigned_token_although_the_metadata_list_none(provider_app: Flask, acme: FakeProvider) -> None:
    acme.metadata = {"id_token_signing_alg_values_supported": ["none", "HS256"]}
    acme.token = {"id_token": "eyJhbGciOiJub25lIn0.e30."}

    with pytest.raises(ProviderAnswerInvalid):
        prove(provider_app, acme)
    assert failures(provider_app) == ["ID token: algorithm"]


def test_I08_an_unknown_key_causes_one_request_for_keys_a_minute(
    provider_app: Flask, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(provider_app, acme)
    later = clock.now() + MIN_TIME_BETWEEN_KEYS
    monkeypatch.setattr(clock, "now", lambda: later)
    acme.signing = {"key": FOREIGN, "kid": "invented"}

    for _attempt in range(3):
        with pytest.raises(ProviderAnswerInvalid):
            prove(provider_app, acme)
    assert len(acme.urls("/keys")) == 2
    assert failures(provider_app) == ["ID token: unknown key"] * 3


def test_I51_accepts_a_new_key_immediately_and_a_withdrawn_one_until_the_cache_is_over(
    provider_app: Flask, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(provider_app, acme)
    now = clock.now() + MIN_TIME_BETWEEN_KEYS
    monkeypatch.setattr(clock, "now", lambda: now)
    acme.keys = public_keys(RSA, EC)
    acme.signing = {"key": EC, "algorithm": "ES256"}
    assert prove(provider_app, acme).subject == SUBJECT

    acme.keys = public_keys(RSA)
    assert prove(provider_app, acme).subject == SUBJECT
    after = now + LIFETIME
    monkeypatch.setattr(clock, "now", lambda: after)
    acme.claims = {"iat": int(after.timestamp()), "exp": int(after.timestamp()) + 300}
    with pytest.raises(ProviderAnswerInvalid):
        prove(provider_app, acme)


def test_I13_rejects_other_token_responses(provider_app: Flask, acme: FakeProvider) -> None:
    acme.userinfo = {"sub": SUBJECT, "email": "wren@example.org", "email_verified": True}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"id_token": None}, "ID token: no ID token"),
        ({"id_token": 7}, "ID token: no ID token"),
        ({"access_token": 7}, "token: access token"),
        ({"error": "invalid_grant"}, "token: invalid_grant"),
        ({"error": "<b>our words only</b>"}, "token: status 200"),
    ]

    for acme.token, _reason in cases:
        with pytest.raises(ProviderAnswerInvalid):
            prove(provider_app, acme)
    assert failures(provider_app) == [reason for _token, reason in cases]
    assert acme.urls("/me") == []


def test_I14_uses_an_email_from_userinfo_only_if_it_is_about_the_same_user(
    provider_app: Flask, acme: FakeProvider
) -> None:
    acme.userinfo = {"sub": SUBJECT, "email": "wren@example.org", "email_verified": True, "given_name": "Wren"}
    of_same = prove(provider_app, acme)
    acme.userinfo = {**acme.userinfo, "sub": "another"}
    of_another = prove(provider_app, acme)

    assert (of_same.email, of_same.email_trusted, of_same.first_name) == ("wren@example.org", True, "Wren")
    assert (of_another.subject, of_another.email, of_another.email_trusted) == (SUBJECT, None, False)


def test_I01_I03_an_answer_in_another_browser_or_for_the_second_time_is_expired(
    provider_app: Flask, acme: FakeProvider
) -> None:
    query = acme.visit(begin(provider_app).url)

    with pytest.raises(VisitExpired):
        answer(provider_app, query, browser="cookie of another browser")
    with pytest.raises(VisitExpired):
        answer(provider_app, query, browser="")
    assert acme.urls("/token") == []
    assert answer(provider_app, query).subject == SUBJECT
    with pytest.raises(VisitExpired):
        answer(provider_app, query)
    assert len(acme.urls("/token")) == 1


def test_I01_a_visit_expires_after_ten_minutes(
    provider_app: Flask, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, later = acme.visit(begin(provider_app).url), clock.now() + visits.LIFETIME
    monkeypatch.setattr(clock, "now", lambda: later)

    with pytest.raises(VisitExpired):
        answer(provider_app, query)


def test_I40_a_cancelled_sign_in_is_declined_in_our_own_words(provider_app: Flask, acme: FakeProvider) -> None:
    for error in ("access_denied", "login_required", "consent_required"):
        state = acme.visit(begin(provider_app).url)["state"]
        query = {"state": state, "iss": ISSUER, "error": error, "error_description": "<script>\r\nSet-Cookie: a=b"}
        with pytest.raises(ProviderDeclined) as caught:
            answer(provider_app, query)
        assert "script" not in str(caught.value)
    assert failures(provider_app) == ["cancelled"] * 3


def test_I40_other_errors_are_invalid_answers(provider_app: Flask, acme: FakeProvider) -> None:
    state = acme.visit(begin(provider_app).url)["state"]

    with pytest.raises(ProviderAnswerInvalid):
        answer(provider_app, {"state": state, "iss": ISSUER, "error": "<b>server_error"})
    assert failures(provider_app) == ["error"]


def test_I52_a_provider_that_is_down_is_unavailable_and_lets_no_one_in(provider_app: Flask, acme: FakeProvider) -> None:
    query = acme.visit(begin(provider_app).url)
    acme.is_down = True

    with pytest.raises(ProviderUnavailable) as caught:
        answer(provider_app, query)
    assert caught.value.headers["Retry-After"] == "7"
    assert begin(provider_app).url.startswith(f"{ISSUER}/authorize?")  # with the metadata in the cache


def test_I58_the_database_has_no_state_nonce_or_verifier(provider_app: Flask, acme: FakeProvider) -> None:
    started = begin(provider_app)
    with provider_app.test_request_context():
        row = db.session.execute(sa.text("SELECT * FROM visits")).one()
        secrets = (started.state, visits.nonce_of(started.state), visits.verifier_of(started.state), BROWSER)

    assert all(secret not in map(str, row) for secret in secrets)
    query = acme.visit(started.url)
    answer(provider_app, query)
    with provider_app.app_context():
        row = db.session.execute(sa.text("SELECT * FROM visits")).one()
    assert all(word not in map(str, row) for word in ("access", query["code"], "not so secret"))


def test_I16_a_service_can_prove_itself_with_a_key(make_app: Callable[..., Flask], acme: FakeProvider) -> None:
    pem = EC.as_pem(private=True).decode()
    app = make_app(**SETTINGS, PROVIDER_ACME_TOKEN_AUTH="private_key_jwt", PROVIDER_ACME_KEY=pem)

    prove(app, acme)

    (form,) = [fields for url, fields in acme.requests if url.endswith("/token")]
    claims = jwt.decode(form["client_assertion"], EC.as_pem(private=False), ["ES256"], audience=f"{ISSUER}/token")
    assert (claims["iss"], claims["sub"]) == (CLIENT_ID, CLIENT_ID)
    assert "client_secret" not in form
    assert form["basic_auth"] is None


def test_I22_metadata_of_another_tenant_of_microsoft_are_rejected(
    make_app: Callable[..., Flask], acme: FakeProvider
) -> None:
    app = make_app(
        PROVIDERS="microsoft", PROVIDER_MICROSOFT_CLIENT_ID=CLIENT_ID, PROVIDER_MICROSOFT_CLIENT_SECRET="secret"
    )
    acme.metadata = {"issuer": "https://login.microsoftonline.com/5c1b0f3c-0f9a-4c53-9f3d-0a2f9d3f8e11/v2.0"}

    with pytest.raises(ProviderAnswerInvalid):
        begin(app, "microsoft")


def test_I20_gitlab_is_a_plain_provider_at_any_host(make_app: Callable[..., Flask], acme: FakeProvider) -> None:
    acme.issuer, acme.claims = "https://git.example.org", {"email": "wren@example.org", "email_verified": True}
    app = make_app(
        PROVIDERS="gitlab",
        PROVIDER_GITLAB_ISSUER=acme.issuer,
        PROVIDER_GITLAB_CLIENT_ID=CLIENT_ID,
        PROVIDER_GITLAB_CLIENT_SECRET="secret",
    )

    assertion = prove(app, acme, "gitlab")

    assert (assertion.issuer, assertion.email_trusted) == ("https://git.example.org", False)


def test_I55_a_client_can_start_few_visits_and_send_few_wrong_answers(
    make_app: Callable[..., Flask], acme: FakeProvider
) -> None:
    limits = {"RATELIMIT_PROVIDER_START": "2 per hour", "RATELIMIT_PROVIDER_ANSWER": "2 per hour"}
    app = make_app(**SETTINGS, RATELIMIT_ENABLED="true", **limits)
    queries = [acme.visit(begin(app).url) for _visit in range(2)]

    with pytest.raises(TooManyRequests):
        begin(app)
    for _attempt in range(2):
        with pytest.raises(VisitExpired):
            answer(app, {**queries[0], "state": "invented"})
    with pytest.raises(TooManyRequests):
        answer(app, queries[0])
    with app.app_context():
        assert db.session.scalar(sa.text("SELECT count(*) FROM visits")) == 2
