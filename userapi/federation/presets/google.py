"""Google. It writes its issuer with and without a scheme, and `hd` is the domain of a Workspace account."""

from collections.abc import Mapping
from typing import Any

from .standard import TRUE, Standard

#: Where Google itself gives out the addresses.
OWN_DOMAINS = ("gmail.com", "googlemail.com")


class Preset(Standard):
    """Google."""

    def is_issuer(self, claims: Mapping[str, Any]) -> bool:
        """Whether an ID token comes from Google."""
        return claims["iss"] in (self.provider.issuer, self.provider.issuer.removeprefix("https://"))

    def authorization_parameters(self) -> dict[str, str]:
        """A hint which accounts to offer. Users can choose another one, so the claim is checked."""
        domains = self.provider.domains
        return {"hd": domains[0] if len(domains) == 1 else "*"} if domains else {}

    def is_email_trusted(self, claims: Mapping[str, Any], email: str) -> bool:
        """Google is an authority for its own addresses and those of Workspace accounts; others may have moved on."""
        is_own = email.rpartition("@")[2].lower() in OWN_DOMAINS or self._hosted_domain(claims) is not None
        return self.provider.trusts_email and claims.get("email_verified") in TRUE and is_own

    def domain_of(self, claims: Mapping[str, Any], _email: str | None, *, is_trusted: bool) -> str | None:
        """The domain of the Workspace account; an email under that domain is not enough."""
        return self._hosted_domain(claims)

    def _hosted_domain(self, claims: Mapping[str, Any]) -> str | None:
        domain = claims.get("hd")
        return domain.lower() if isinstance(domain, str) and domain else None
