"""What operators see of client applications, and what they do: `flask doctor`, metrics, and rotating RSA keys."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.form_browser import FormBrowser
from tests.support.prometheus import METRICS_TOKEN, metric_value, scrape_metrics
from tests.support.relying_party import RelyingParty, basic, make_client
from tests.support.sql import execute_sql
from userapi.core import clock
from userapi.core.db import db
from userapi.openid import clients
from userapi.outbound import notices
from userapi.security import signing_keys

EMAIL = "ada@example.com"


@pytest.fixture
def provider(make_app: Callable[..., Flask], tmp_path: Path) -> Flask:
    """A provider with keys of its own, and a user."""
    signing_keys.KeyRing(tmp_path / "keys").add()
    app = make_app(JWT_KEY_DIR=str(tmp_path / "keys"), SITE_URL="http://127.0.0.1:8000", METRICS_TOKEN=METRICS_TOKEN)
    make_user(app, email=EMAIL)
    return app


@pytest.fixture
def user(provider: Flask) -> FormBrowser:
    """The browser of that user, who is signed in."""
    found = FormBrowser(provider)
    assert found.sign_in(EMAIL).status_code == 303
    return found


def report(app: Flask) -> list[tuple[str, str]]:
    """Level and text of what `flask doctor` says about clients."""
    lines = app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout.splitlines()
    return [(line["level"], line["text"]) for line in map(json.loads, lines) if line["subject"] == "clients"]


def keys(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["keys", *arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def published(app: Flask) -> list[str]:
    found = app.test_client().get("/.well-known/jwks.json").get_json()["keys"]
    return [key["kid"] for key in found if key["kty"] == "RSA"]


def is_known(app: Flask, hint: str) -> bool:
    """Whether an ID token is accepted as a hint."""
    return app.test_client().get(f"/oauth/logout/?id_token_hint={hint}").status_code != 400


def queue_notice(app: Flask, client: RelyingParty) -> None:
    with app.app_context():
        content = {"client": client.client_id, "sub": "1", "sid": "s"}
        notices.queue("logout", client.client_id, content, url="https://handbook.example.com/logout")
        db.session.commit()


def test_doctor_is_silent_about_clients_until_there_is_an_active_one(provider: Flask) -> None:
    assert report(provider) == []
    client = make_client(provider)
    assert report(provider) == [("ok", "1 registered, nothing to change")]

    with provider.app_context():
        clients.set_active(client.client_id, is_active=False)
        db.session.commit()

    assert report(provider) == []


def test_doctor_names_the_clients_that_should_be_changed(provider: Flask) -> None:
    def only_warning() -> str:
        ((level, text),) = report(provider)
        assert level == "warning"
        return text

    exempted = make_client(provider, "Old wiki", requires_pkce=False)
    assert f"Old wiki ({exempted.client_id})" in only_warning()
    assert "--pkce" in only_warning()

    with provider.app_context():
        clients.change(exempted.client_id, {"requires_pkce": True, "redirect_uris": ["http://127.0.0.1:9000/"]})
        db.session.commit()
    assert [level for level, _text in report(provider)] == ["ok"]
    native = make_client(provider, "Tool", "native", redirect_uris=["http://127.0.0.1/callback"])
    provider.config["SITE_URL"] = provider.config["JWT_ISSUER"] = "https://accounts.example.com"
    assert f"Old wiki ({exempted.client_id})" in only_warning()
    assert native.client_id not in only_warning()

    provider.config["SITE_URL"] = provider.config["JWT_ISSUER"] = "http://127.0.0.1:8000"
    execute_sql(provider, "UPDATE openid_clients SET created_at = :old", old=clock.now() - timedelta(days=181))
    execute_sql(provider, "UPDATE openid_clients SET last_used_at = :now WHERE name = 'Tool'", now=clock.now())
    assert only_warning().startswith(f"Not used for 180 days: Old wiki ({exempted.client_id}). ")


def test_doctor_reports_an_issuer_that_clients_do_not_see(provider: Flask) -> None:
    make_client(provider)
    provider.config["JWT_ISSUER"] = "https://id.example.org"

    ((level, text),) = report(provider)

    assert level == "warning"
    assert text.startswith("JWT_ISSUER is https://id.example.org, ")


def test_doctor_reports_an_RSA_key_that_others_can_read_is_old_or_broken(provider: Flask, tmp_path: Path) -> None:
    def problems() -> list[tuple[str, str]]:
        lines = provider.test_cli_runner().invoke(args=["doctor", "--json"]).stdout.splitlines()
        found = [line for line in map(json.loads, lines) if line["subject"] == "keys" and line["level"] != "ok"]
        return [(line["level"], line["text"]) for line in found]

    make_client(provider, id_token_alg="RS256")
    (path,) = (tmp_path / "keys" / "rsa").glob("*.pem")
    assert problems() == []

    path.chmod(0o644)
    ((level, text),) = problems()
    assert (level, f"chmod 600 {path}" in text) == ("error", True)
    path.chmod(0o600)
    old = (clock.now() - timedelta(days=400)).timestamp()
    os.utime(path, (old, old))
    ((level, text),) = problems()
    assert (level, text.endswith("is 400 days old. To create a new one, run `flask keys rotate --rsa`.")) == (
        "warning",
        True,
    )
    path.write_text("no key")
    assert problems() == [("error", f"JWT_KEY_DIR: rsa/{path.name} is not an unencrypted PEM private key")]


@pytest.mark.both
def test_logout_notices_that_are_not_accepted_are_reported_after_an_hour_and_counted(provider: Flask) -> None:
    empty = scrape_metrics(provider)
    provider.extensions.pop("userapi-openid-clients")  # a minute passes
    client = make_client(provider)
    queue_notice(provider, client)
    execute_sql(provider, "UPDATE notices SET created_at = :then", then=clock.now() - timedelta(minutes=61))
    queue_notice(provider, client)

    ((level, text),) = report(provider)
    found = scrape_metrics(provider)

    assert (level, text[:29]) == ("warning", "2 logout notices are queued, ")
    assert metric_value(empty, "userapi_logout_notices", state="due") == 0
    assert metric_value(found, "userapi_logout_notices", state="due") == 2
    assert metric_value(found, "userapi_logout_notices", state="failed") == 0
    assert 3600 < (metric_value(found, "userapi_logout_notice_oldest_seconds") or 0) < 4000


def test_answers_to_clients_are_counted_by_endpoint_and_error(provider: Flask, user: FormBrowser) -> None:
    client = make_client(provider)
    tokens = client.sign_in(user)
    client.authorize(user, response_type="token")
    client.exchange("wrong")
    client.userinfo(tokens["access_token"])
    provider.test_client().post(
        "/oauth/token/", data={"grant_type": "x"}, headers={"Authorization": basic(client.client_id, "wrong")}
    )

    found = scrape_metrics(provider)

    counted = {
        (labels["endpoint"], labels["error"]): value
        for (name, pairs), value in found.items()
        if name == "userapi_openid_answers_total" and (labels := dict(pairs))
    }
    assert counted == {
        ("authorize", "none"): 1,
        ("authorize", "unsupported_response_type"): 1,
        ("token", "none"): 1,
        ("token", "invalid_grant"): 1,
        ("token", "invalid_client"): 1,
        ("userinfo", "none"): 1,
    }


def test_Q51_a_rotated_RSA_key_signs_and_the_ID_tokens_of_the_one_before_verify(
    provider: Flask, user: FormBrowser
) -> None:
    client = make_client(provider, id_token_alg="RS256")
    before = client.sign_in(user)["id_token"]

    said = keys(provider, "rotate", "--rsa")

    after = client.sign_in(user)["id_token"]
    new, old = (jwt.get_unverified_header(token)["kid"] for token in (after, before))
    assert said == f"{new} signs new tokens from now on.\n"
    assert published(provider) == [new, old]
    assert is_known(provider, before)
    listed = [line.split("  ") for line in keys(provider, "list").splitlines() if "rsa/" in line]
    assert [(kid, use.partition(" until")[0]) for kid, _name, use in listed] == [
        (new, "signs"),
        (old, "verifies; needed"),
    ]

    keys(provider, "retire", old, "--yes")

    assert published(provider) == [new]
    assert (is_known(provider, before), is_known(provider, after)) == (False, True)


def test_Q51_a_missing_RSA_key_is_reported_until_one_is_created(
    provider: Flask, user: FormBrowser, tmp_path: Path
) -> None:
    client = make_client(provider, id_token_alg="RS256")
    for path in (tmp_path / "keys" / "rsa").iterdir():
        path.unlink()
    provider.extensions["userapi-rsa-keys"] = signing_keys.RsaKeyRing(tmp_path / "keys" / "rsa")

    ((level, text),) = report(provider)
    assert level == "error"
    assert client.client_id in text
    keys(provider, "rotate", "--rsa", "--retire-others", "--yes")

    assert [level for level, _text in report(provider)] == ["ok"]
    assert client.sign_in(user)["id_token"]
