"""Checks of the providers that users sign in with: each is sent the requests of a sign-in, without a user."""

import secrets
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from userapi.core import clock
from userapi.core.provider_settings import Provider
from userapi.federation import metadata as published
from userapi.federation import presets, providers, visits
from userapi.federation.exchange import TOKEN_ERRORS
from userapi.federation.id_tokens import ALGORITHMS
from userapi.federation.metadata import Metadata
from userapi.federation.presets.standard import Standard
from userapi.federation.problems import ProviderAnswerInvalid
from userapi.health.findings import Finding, failure, ok, warning
from userapi.outbound import http_client
from userapi.outbound.http_client import NotAllowed, Response
from userapi.outbound.limits import Unavailable

#: By how many seconds a clock may differ: ID tokens are rejected when it is `id_tokens.MAX_CLOCK_SKEW`.
MAX_DIFFERENCE = 30

#: How token endpoints reject an unknown client or its secret, and a code that does not exist; GitHub has its own words.
WRONG_CLIENT = frozenset({"invalid_client", "unauthorized_client", "incorrect_client_credentials"})
WRONG_CODE = frozenset({"invalid_grant", "bad_verification_code"})


def check() -> Iterator[Finding]:
    """Check every provider of the settings."""
    for provider in providers.configured():
        yield from check_provider(provider)


def check_provider(provider: Provider) -> Iterator[Finding]:
    """Check one provider: its metadata, the clock, our client id and secret, and the redirect URI."""
    checks = ProviderCheck(provider)
    found = list(checks.run())
    yield from found
    if not found:
        yield ok("provider", f"{provider.id}: connected to {provider.issuer}; {checks.result}")


class ProviderCheck:
    """The checks of one provider.

    Attributes:
        result: what is known after checks without findings, with the redirect URI.
    """

    def __init__(self, provider: Provider) -> None:
        self.provider, self.prefix = provider, f"PROVIDER_{provider.id.upper()}_"
        self.preset: Standard = presets.load(provider)
        self.redirect_url = providers.callback_url(provider)
        self.result = f"its redirect URI must be {self.redirect_url}"

    def run(self) -> Iterator[Finding]:
        """What is wrong. Checks that need what is not there are left out."""
        try:
            metadata = yield from self._check_metadata()
            if metadata is not None and (yield from self._check_client(metadata)):
                yield from self._check_redirect_url(metadata)
        except Unavailable as error:
            yield self._failure("ISSUER", f"No connection ({error.reason}). Check the URL, and DNS and firewall here.")
        except NotAllowed as error:
            yield self._failure(
                "ISSUER",
                f"A request is not allowed ({error.reason}). Check the URL; if the host is inside your network, add it "
                "to OUTBOUND_PRIVATE_HOSTS.",
            )

    def _check_metadata(self) -> Any:
        """Yields findings and returns the metadata, or None if they cannot be used."""
        if not self.preset.has_id_tokens:
            return self.preset.read_metadata()
        url = self.preset.metadata_url
        response = self._get(url)
        content = _read_object(response)
        if response.status != 200 or not content:
            yield self._failure("ISSUER", f"{url} has no metadata (status {response.status}). Check the URL.")
            return None
        issuer = content.get("issuer")
        if not isinstance(issuer, str) or not self.preset.is_metadata_issuer(issuer):
            yield self._failure("ISSUER", f"The metadata are those of {_printable(issuer)}. Set it to exactly that.")
            return None
        try:
            metadata = published.parse(content, self.provider, self.preset.is_metadata_issuer)
        except ProviderAnswerInvalid:
            yield self._failure("ISSUER", f"The metadata at {url} lack an endpoint, or one is not https.")
            return None
        yield from self._check_offers(content)
        yield from self._check_clock(response)
        return metadata

    def _check_offers(self, content: Mapping[str, Any]) -> Iterator[Finding]:
        methods = content.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            yield self._failure("ISSUER", "The provider does not offer PKCE with S256. Turn it on there.")
        algorithms = content.get("id_token_signing_alg_values_supported")
        if isinstance(algorithms, list) and not ALGORITHMS.keys() & {each for each in algorithms if _is_text(each)}:
            accepted = ", ".join(ALGORITHMS)
            yield self._failure("ISSUER", f"The provider signs ID tokens with no accepted algorithm: {accepted}.")

    def _check_clock(self, response: Response) -> Iterator[Finding]:
        try:
            moment = parsedate_to_datetime(response.headers.get("Date", ""))
            difference = (clock.now() - moment).total_seconds()
        except (TypeError, ValueError):
            return  # no date, or none with a time zone
        if abs(difference) > MAX_DIFFERENCE:
            direction = "ahead of" if difference > 0 else "behind"
            yield failure(
                "provider",
                f"{self.provider.id}: The clock of this host is {abs(difference):.0f} seconds {direction} the "
                "provider's. ID tokens are rejected from 60 seconds on. Synchronize the clock, for example with NTP.",
            )

    def _check_client(self, metadata: Metadata) -> Any:
        """Send a code that does not exist. Yields findings, and returns whether the client is known there."""
        fields = {
            "grant_type": "authorization_code",
            "code": secrets.token_urlsafe(32),
            "redirect_uri": self.redirect_url,
            "code_verifier": secrets.token_urlsafe(32),
        }
        basic_auth = self.preset.authenticate(fields, metadata.token_endpoint)
        response = http_client.post_form(
            metadata.token_endpoint, fields, service=self.provider.id, basic_auth=basic_auth
        )
        error = _read_object(response).get("error")
        if error in WRONG_CODE:
            self.result = f"client ID and secret are accepted; {self.result}"
            return True
        if error == "redirect_uri_mismatch":
            yield self._wrong_redirect_url()
        elif error in WRONG_CLIENT or response.status == 401:
            yield self._failure("CLIENT_ID", f"The provider rejects it, or {self._secrets()}. Copy both again.")
        else:
            known = error if error in TOKEN_ERRORS else f"status {response.status}"
            yield warning(
                "provider",
                f"{self.provider.id}: Whether {self.prefix}CLIENT_ID and {self._secrets()} are right is not known: a "
                f"code that does not exist is answered with {known}.",
            )
        return False

    def _check_redirect_url(self, metadata: Metadata) -> Iterator[Finding]:
        """Look at the page to sign in. Many providers show an error instead if the redirect URI is not registered."""
        try:
            response = self._get(visits.build_authorization_url(self.preset, metadata, secrets.token_urlsafe(32)))
        except NotAllowed:
            return  # a redirect to a form
        if response.status in (400, 403):
            yield self._wrong_redirect_url()

    def _get(self, url: str) -> Response:
        return http_client.get(url, service=self.provider.id)

    def _wrong_redirect_url(self) -> Finding:
        text = f"{self.provider.id}: The redirect URI is not registered at the provider. Register {self.redirect_url}"
        return failure("provider", text)

    def _secrets(self) -> str:
        uses_key = self.provider.preset == "apple" or self.provider.client_auth == "private_key_jwt"
        return f"{self.prefix}KEY" if uses_key else f"{self.prefix}CLIENT_SECRET"

    def _failure(self, setting: str, text: str) -> Finding:
        return failure("provider", f"{self.prefix}{setting}: {text}")


def _read_object(response: Response) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _printable(value: object) -> str:
    text = value if isinstance(value, str) else "no issuer"
    return "".join(each if each.isprintable() else "?" for each in text[:200])
