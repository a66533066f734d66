"""Real clients sign users in: certified libraries for Node, and Authlib."""

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session

from tests.support import http_server
from tests.support.http_browser import HttpBrowser
from tests.support.node import CLIENTS, node_with_modules
from tests.support.registered_clients import CALLBACK, register

pytestmark = pytest.mark.slow


def run_library(library: str, client: dict[str, Any], user: HttpBrowser) -> dict[str, Any]:
    """Let a library sign a user in; what it got."""
    script = CLIENTS / "relying_party.mjs"
    settings = {"redirect_uri": CALLBACK, "scope": "openid profile email", "id_token_alg": "ES256", **client}
    with subprocess.Popen(
        [node_with_modules(), script, library, json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            _out, errors = process.communicate(timeout=60)
            pytest.fail(errors)
        back = user.allow(json.loads(first)["url"])
        out, errors = process.communicate(back + "\n", timeout=60)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ((), {}),
        (("--id-token-alg", "RS256"), {"id_token_alg": "RS256"}),
        (("--par",), {"par": True}),
        (("--kind", "native"), {}),
    ],
    ids=["ES256", "RS256", "pushed request", "public"],
)
def test_openid_client_signs_in_refreshes_introspects_and_revokes(
    options: tuple[str, ...], more: dict[str, Any], provider: http_server.Server, user: HttpBrowser
) -> None:
    found = run_library("openid-client", {**register(provider.environment, *options), **more}, user)

    assert found["claims"]["sub"] == found["userinfo"]["sub"]
    assert found["userinfo"]["email"] == user.email
    if found["introspected"] is not None:
        assert found["introspected"]["active"] is True
        assert found["after"] == {"active": False}
    assert found["end"].startswith(f"{provider.url}/oauth/logout/?")


def test_oauth4webapi_signs_in_and_accepts_signatures_and_answers(
    provider: http_server.Server, user: HttpBrowser
) -> None:
    found = run_library("oauth4webapi", register(provider.environment), user)

    assert found["userinfo"]["email"] == user.email


def test_authlib_signs_in_by_discovery_with_pkce(
    provider: http_server.Server, user: HttpBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "true")
    client = register(provider.environment)
    metadata = requests.get(f"{provider.url}/.well-known/openid-configuration", timeout=30).json()
    session = OAuth2Session(
        client["client_id"],
        client["client_secret"],
        scope="openid email",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
    )
    verifier = "v" * 64
    url, _state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)

    session.fetch_token(metadata["token_endpoint"], authorization_response=user.allow(url), code_verifier=verifier)

    assert session.get(metadata["userinfo_endpoint"]).json()["email"] == user.email
    assert urljoin(provider.url, "/") == f"{provider.url}/"


def test_Q57_discovery_lists_what_works(provider: http_server.Server) -> None:
    metadata = requests.get(f"{provider.url}/.well-known/openid-configuration", timeout=30).json()

    assert metadata["issuer"] == provider.url
    for name, url in metadata.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert requests.get(url, timeout=30).status_code != 404, name
    assert Path(metadata["jwks_uri"]).name == "jwks.json"
