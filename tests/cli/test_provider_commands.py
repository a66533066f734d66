"""`flask providers …`, `flask identities …`, and what `flask doctor` says about providers."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.email_inbox import emails_to
from tests.support.fake_provider import ISSUER, SETTINGS, FakeProvider
from tests.support.oidc_provider import OidcProvider, oidc_provider
from tests.support.provider_visits import link_identity
from tests.support.sql import fetch_number, fetch_rows
from userapi.core import clock
from userapi.federation import requests_to_providers
from userapi.outbound.http_client import Response

REDIRECT_URI = "http://localhost/auth/callback/acme/"

MakeApp = Callable[..., Flask]


@pytest.fixture(scope="module")
def certified() -> Iterator[OidcProvider]:
    with oidc_provider(REDIRECT_URI) as provider:
        yield provider


def check(app: Flask) -> tuple[int, list[str]]:
    """The exit code of `flask providers check`, and its lines."""
    result = app.test_cli_runner().invoke(args=["providers", "check"])
    return result.exit_code, result.stdout.splitlines()


@pytest.mark.slow
def test_the_check_tells_apart_what_is_wrong_with_a_certified_provider(
    make_app: MakeApp, certified: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line_with(**changes: str) -> str:
        app = make_app(**{"SITE_URL": "http://localhost", **certified.settings(), **changes})
        code, (line,) = check(app)
        assert code == (0 if line.startswith("ok") else 1)
        return line

    right = line_with()
    wrong_secret = line_with(PROVIDER_ACME_CLIENT_SECRET="another")
    wrong_client = line_with(PROVIDER_ACME_CLIENT_ID="another")
    wrong_redirect = line_with(SITE_URL="http://127.0.0.1")
    unreachable = line_with(PROVIDER_ACME_ISSUER="http://127.0.0.1:1")
    not_exact = line_with(PROVIDER_ACME_ISSUER=f"{certified.issuer}/")
    not_public = line_with(OUTBOUND_PRIVATE_HOSTS="")
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(seconds=45))
    wrong_clock = line_with()

    assert f"client ID and secret are accepted; its redirect URI must be {REDIRECT_URI}" in right
    assert "PROVIDER_ACME_CLIENT_ID: The provider rejects it, or PROVIDER_ACME_CLIENT_SECRET" in wrong_secret
    assert wrong_client == wrong_secret
    assert "The redirect URI is not registered" in wrong_redirect
    assert wrong_redirect.endswith("Register http://127.0.0.1/auth/callback/acme/")
    assert "PROVIDER_ACME_ISSUER: No connection (ConnectionError)" in unreachable
    assert f"PROVIDER_ACME_ISSUER: The metadata are those of {certified.issuer}." in not_exact
    assert "add it to OUTBOUND_PRIVATE_HOSTS" in not_public
    assert re.search(r"The clock of this host is \d\d seconds ahead of the provider's\.", wrong_clock)


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """The provider that every request of the check reaches."""
    provider = FakeProvider()
    monkeypatch.setattr(requests_to_providers.http_client, "get", provider.get)
    monkeypatch.setattr(requests_to_providers.http_client, "post_form", provider.post_form)
    return provider


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"issuer": "https://evil.example\x1b"}, "The metadata are those of https://evil.example?."),
        ({"token_endpoint": None}, "lack an endpoint"),
        ({"code_challenge_methods_supported": ["plain"]}, "does not offer PKCE with S256"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "with no accepted algorithm"),
    ],
)
def test_I06_doctor_names_what_is_wrong_with_metadata(
    make_app: MakeApp, acme: FakeProvider, metadata: dict[str, Any], expected: str
) -> None:
    acme.metadata = metadata

    result = make_app(**SETTINGS).test_cli_runner().invoke(args=["doctor", "--json"])

    findings = [json.loads(line) for line in result.stdout.splitlines()]
    found = [each["text"] for each in findings if each["subject"] == "provider" and each["level"] == "error"]
    assert len(found) == 1, found
    assert found[0].startswith("PROVIDER_ACME_ISSUER: ")
    assert expected in found[0]


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (400, {"error": "invalid_grant"}, "ok       provider   acme: connected to"),
        (200, {"error": "bad_verification_code"}, "ok "),
        (200, {"error": "incorrect_client_credentials"}, "The provider rejects it, or"),
        (401, {}, "The provider rejects it, or"),
        (400, {"error": "redirect_uri_mismatch"}, "The redirect URI is not registered"),
        (400, {"error": "<b>"}, "is answered with status 400"),
    ],
)
def test_the_check_understands_what_token_endpoints_answer(
    make_app: MakeApp,
    acme: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    answer: dict[str, str],
    expected: str,
) -> None:
    behind = format_datetime(datetime.now(UTC) - timedelta(seconds=20))
    response = Response(status, {"Date": behind}, json.dumps(answer).encode())
    monkeypatch.setattr(requests_to_providers.http_client, "post_form", lambda *_args, **_options: response)

    _code, lines = check(make_app(**SETTINGS))

    assert len(lines) == 1
    assert expected in lines[0]


def test_the_providers_are_listed_with_what_to_register(make_app: MakeApp, app: Flask) -> None:
    listed = make_app(**SETTINGS).test_cli_runner().invoke(args=["providers", "list"]).stdout
    none = app.test_cli_runner().invoke(args=["providers", "check"])

    assert listed.splitlines()[1] == f"acme\tAcme\t{ISSUER}\thttps://accounts.example.com/auth/callback/acme/"
    assert (none.exit_code, "The setting PROVIDERS names them" in none.stderr) == (1, True)
    assert "provider" not in app.test_cli_runner().invoke(args=["doctor"]).stdout


def test_identities_are_listed_and_unlinked(app: Flask, user: ApiUser, other_user: ApiUser) -> None:
    link_identity(app, user.id)
    (row,) = fetch_rows(app, "SELECT id FROM identities")
    run = app.test_cli_runner().invoke

    listed = run(args=["identities", "list", user.email]).stdout.splitlines()
    foreign = run(args=["identities", "unlink", other_user.email, str(row.id), "--yes"])
    unlinked = run(args=["identities", "unlink", user.email, str(row.id), "--yes"])

    assert listed[1].split("\t")[:3] == [str(row.id), "acme", ISSUER]
    assert foreign.exit_code == 1
    assert unlinked.stdout == f"acme no longer signs in to {user.email}.\n"
    assert fetch_number(app, "SELECT count(*) FROM identities") == 0
    assert len(emails_to(app, user.email, "identity_unlinked")) == 1
