"""A provider in this process, which answers what a test tells it to. It stands in for the HTTP client alone."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.support.id_tokens import RSA, claims_of, public_keys, sign
from userapi.outbound.http_client import Response
from userapi.outbound.limits import Unavailable

ISSUER, CLIENT_ID = "https://login.acme.example", "our-client"

#: The settings of an application that uses it.
SETTINGS = {
    "SITE_URL": "https://accounts.example.com",
    "PROVIDERS": "acme",
    "PROVIDER_ACME_ISSUER": ISSUER,
    "PROVIDER_ACME_CLIENT_ID": CLIENT_ID,
    "PROVIDER_ACME_CLIENT_SECRET": "not so secret",
    "PROVIDER_ACME_TRUSTS_EMAIL": "true",
}


@dataclass
class FakeProvider:
    """A provider; each attribute is what it answers, or how it differs from a good one.

    Attributes:
        metadata: what its metadata say instead, by name; None removes a value.
        claims: what its ID tokens say instead, likewise.
        token: members of the response of its token endpoint instead, likewise.
        keys: the keys that it publishes.
        userinfo: what the userinfo endpoint says.
        pages: other responses to GET, by URL.
        is_down: whether nothing answers.
        requests: the URL of each request, with the fields of forms.
    """

    issuer: str = ISSUER
    client_id: str = CLIENT_ID
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    token_status: int = 200
    keys: list[dict[str, Any]] = field(default_factory=lambda: public_keys(RSA))
    signing: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    pages: dict[str, Any] = field(default_factory=dict)
    is_down: bool = False
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def visit(self, url: str, **claims: Any) -> dict[str, str]:
        """Sign in at the provider, as a browser that was sent there; the query of the callback."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = {**query, **claims}
        return {"code": code, "state": query["state"], "iss": self.issuer}

    def get(self, url: str, *, service: str, headers: Any = None) -> Response:
        """What the HTTP client does with a GET request."""
        self._note(url, dict(headers or {}))
        if url.endswith("/.well-known/openid-configuration"):
            return _json(200, self._metadata())
        if url == f"{self.issuer}/keys":
            return _json(200, {"keys": self.keys})
        if url == f"{self.issuer}/me" and self.userinfo is not None:
            return _json(200, self.userinfo)
        return _json(200, self.pages[url]) if url in self.pages else _json(404, {})

    def post_form(
        self, url: str, fields: Any, *, service: str, headers: Any = None, basic_auth: Any = None
    ) -> Response:
        """What the HTTP client does with a form."""
        self._note(url, {**fields, "basic_auth": basic_auth})
        request = self.codes.pop(fields["code"], None)
        if self.token_status != 200:
            return _json(self.token_status, self.token)
        if request is None or not _fits(fields["code_verifier"], request["code_challenge"]):
            return _json(400, {"error": "invalid_grant"})
        nonce = request.get("nonce", "")
        claims = claims_of(self.issuer, self.client_id, nonce, **self.claims)
        answer = {"access_token": "access", "token_type": "Bearer", "id_token": sign(claims, **self.signing)}
        return _json(200, _changed(answer, self.token))

    def urls(self, end: str) -> list[str]:
        """The URLs with an end that were requested."""
        return [url for url, _fields in self.requests if url.endswith(end)]

    def _note(self, url: str, fields: dict[str, Any]) -> None:
        self.requests.append((url, fields))
        if self.is_down:
            raise Unavailable("down", 7)

    def _metadata(self) -> dict[str, Any]:
        usual = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/me",
            "authorization_response_iss_parameter_supported": True,
        }
        return _changed(usual, self.metadata)


def _json(status: int, content: Any) -> Response:
    return Response(status, {}, orjson.dumps(content))


def _changed(usual: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def _fits(verifier: str, challenge: str) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
