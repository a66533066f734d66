"""Any OpenID provider; the presets change what is particular about theirs."""

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import orjson

from userapi.core import clock
from userapi.core.provider_settings import Provider
from userapi.federation import metadata as published
from userapi.federation.assertions import Assertion, clean_name
from userapi.federation.metadata import Metadata
from userapi.users import email_address

#: How a provider may write that something is true.
TRUE = (True, "true")

#: How long a token lives that proves who this service is, in seconds.
ASSERTION_LIFETIME = 120

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Standard:
    """How to talk to an OpenID provider, and how to read what it says.

    Args:
        provider: its settings.
    """

    #: Whether it answers with an ID token.
    has_id_tokens = True

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    @property
    def metadata_url(self) -> str:
        """Where the provider publishes its metadata."""
        return f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"

    def read_metadata(self) -> Metadata:
        """The provider's metadata.

        Raises:
            ProviderUnavailable: they cannot be fetched.
            ProviderAnswerInvalid: they are another issuer's, or unusable.
        """
        return published.read(self.provider, self.metadata_url, self.is_metadata_issuer)

    def is_metadata_issuer(self, issuer: str) -> bool:
        """Whether the metadata of an issuer are the provider's."""
        return issuer == self.provider.issuer

    def is_issuer(self, claims: Mapping[str, Any]) -> bool:
        """Whether an ID token comes from the provider."""
        return bool(claims["iss"] == self.provider.issuer)

    def issuer_of(self, _claims: Mapping[str, Any]) -> str:
        """The issuer under which an identity is stored."""
        return self.provider.issuer

    def authorization_parameters(self) -> dict[str, str]:
        """Parameters of the authorization request besides those that all providers get."""
        return {}

    def is_email_trusted(self, claims: Mapping[str, Any], _email: str) -> bool:
        """Whether the provider is an authority for an email, and has verified it."""
        return self.provider.trusts_email and claims.get("email_verified") in TRUE

    def domain_of(self, _claims: Mapping[str, Any], email: str | None, *, is_trusted: bool) -> str | None:
        """The domain that the provider vouches for."""
        return email_address.normal_form(email).rpartition("@")[2] if email and is_trusted else None

    def read_claims(self, access_token: str) -> dict[str, Any]:
        """What an ID token would say, from a provider without ID tokens.

        Raises:
            ProviderUnavailable: it does not answer.
            ProviderAnswerInvalid: the answer is unusable.
        """
        raise NotImplementedError

    def to_assertion(self, claims: Mapping[str, Any]) -> Assertion:
        """What the provider says, from the claims of a verified ID token."""
        email = claims.get("email")
        email = email if isinstance(email, str) and email_address.key_or_none(email) else None
        is_trusted = email is not None and self.is_email_trusted(claims, email)
        return Assertion(
            issuer=self.issuer_of(claims),
            subject=claims["sub"],
            email=email,
            email_trusted=is_trusted,
            domain=self.domain_of(claims, email, is_trusted=is_trusted),
            first_name=clean_name(claims.get("given_name")),
            last_name=clean_name(claims.get("family_name")),
        )

    def authenticate(self, fields: dict[str, str], token_endpoint: str) -> tuple[str, str] | None:
        """Prove to the token endpoint who this service is (OpenID Connect Core, section 9).

        Args:
            fields: the fields of the request; some may be added.
            token_endpoint: its URL.

        Returns:
            User name and password for HTTP Basic authentication, if the provider wants them.
        """
        provider = self.provider
        if provider.client_auth == "client_secret_basic":
            return quote_plus(provider.client_id), quote_plus(provider.client_secret)
        fields["client_id"] = provider.client_id
        if provider.client_auth == "client_secret_post":
            fields["client_secret"] = provider.client_secret
            return None
        fields["client_assertion_type"] = ASSERTION_TYPE
        fields["client_assertion"] = self.sign_assertion(provider.client_id, token_endpoint)
        return None

    def sign_assertion(self, issuer: str, audience: str) -> str:
        """A token, signed with the key of the settings, that proves who this service is (RFC 7523)."""
        from userapi.federation import signatures

        now = int(clock.now().timestamp())
        claims = {
            "iss": issuer,
            "sub": self.provider.client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
        }
        return signatures.sign(orjson.dumps(claims), self.provider.private_key, self.provider.key_id)
