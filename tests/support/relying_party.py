"""A client application of the OpenID provider, and the browser of its user."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import requests
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.http_browser import HttpBrowser
from userapi.core.db import db
from userapi.openid import clients

CALLBACK = "https://handbook.example.com/callback"


def make_verifier() -> tuple[str, str]:
    """A code verifier and its challenge (RFC 7636)."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass
class RelyingParty:
    """A client and what it does.

    Attributes:
        app: the application of the provider.
        client_id, secret: as it was registered.
        redirect_uri: where it wants its users back.
        verifier: the code verifier of the last request.
    """

    app: Flask
    client_id: str
    secret: str | None
    redirect_uri: str = CALLBACK
    verifier: str = field(default="", repr=False)

    def request(self, **changes: str | None) -> str:
        """The path of an authorization request; a parameter that is None is left out."""
        self.verifier, challenge = make_verifier()
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email",
            "state": "state of the client",
            "nonce": "nonce of the client",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        sent = {name: value for name, value in parameters.items() if value is not None}
        return f"/oauth/authorize/?{urlencode(sent)}"

    def push(self, **changes: str | None) -> TestResponse:
        """Push an authorization request (RFC 9126)."""
        return self.post("/oauth/par/", dict(parse_qsl(urlsplit(self.request(**changes)).query)))

    def authorize(self, browser: FormBrowser, **changes: str | None) -> dict[str, str]:
        """Let a signed-in user allow a request; the parameters of the answer."""
        response = browser.get(self.request(**changes))
        if urlsplit(response.headers.get("Location", "")).path.startswith("/oauth/consent/"):
            path = response.headers["Location"]
            page = browser.get(path)
            assert page.status_code == 200, page.text
            response = page
            if '<meta http-equiv="refresh"' not in page.text:
                response = browser.post(path, {"allow": "1", "csrf_token": hidden_value(page)})
        return answer_of(response)

    def post(self, path: str, form: dict[str, str], *, authenticate: bool = True, **options: Any) -> TestResponse:
        """Send a form to an endpoint, with the client's credentials."""
        headers = dict(options.pop("headers", {}))
        if authenticate and self.secret is not None:
            headers["Authorization"] = basic(self.client_id, self.secret)
        elif authenticate:
            form = {"client_id": self.client_id, **form}
        return self.app.test_client().post(path, data=form, headers=headers, **options)

    def exchange(self, code: str, **changes: str) -> TestResponse:
        """Exchange a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            **changes,
        }
        return self.post("/oauth/token/", {name: value for name, value in form.items() if value})

    def refresh(self, refresh_token: str, **more: str) -> TestResponse:
        """Refresh."""
        return self.post("/oauth/token/", {"grant_type": "refresh_token", "refresh_token": refresh_token, **more})

    def sign_in(self, browser: FormBrowser, **changes: str | None) -> dict[str, Any]:
        """Let a signed-in user sign in here; the tokens."""
        response = self.exchange(self.authorize(browser, **changes)["code"])
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.get_json()
        return tokens

    def userinfo(self, access_token: str) -> TestResponse:
        """What the provider says about the user of a token."""
        return self.app.test_client().get("/oauth/userinfo/", headers={"Authorization": f"Bearer {access_token}"})

    def introspect(self, token: str) -> dict[str, Any]:
        """What the provider says about a token."""
        response = self.post("/oauth/introspect/", {"token": token})
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.get_json()
        return found


def sign_in_over_http(browser: HttpBrowser, client_id: str, secret: str, redirect_uri: str) -> dict[str, Any]:
    """Let the signed-in user of a browser sign in at a client of a real server; the tokens."""
    verifier, challenge = make_verifier()
    parameters = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    back = browser.allow(f"/oauth/authorize/?{urlencode(parameters)}")
    form = {
        "grant_type": "authorization_code",
        "code": dict(parse_qsl(urlsplit(back).query))["code"],
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    response = requests.post(f"{browser.url}/oauth/token/", data=form, auth=(client_id, secret), timeout=30)
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


def basic(client_id: str, secret: str) -> str:
    """The header of a client that authenticates with Basic."""
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def make_client(app: Flask, name: str = "Handbook", kind: str = "web", **given: Any) -> RelyingParty:
    """Register a client."""
    given.setdefault("redirect_uris", [CALLBACK] if kind != "machine" else [])
    with app.app_context():
        created = clients.create(kind, name, **given)
        made = RelyingParty(app, created.client.id, created.secret, (created.client.redirect_uris or [""])[0])
        db.session.commit()
    return made


def answer_of(response: TestResponse) -> dict[str, str]:
    """What the client gets with a redirect, or with the page that continues to it."""
    url = response.headers.get("Location", "")
    if response.status_code == 200:
        found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', response.text)
        assert found, response.text
        url = unescape(found[1])
    assert url, response.text
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, without verifying it."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
