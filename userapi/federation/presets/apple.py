"""Apple. The client secret is a token that is made for each request, and names come once, unsigned."""

import logging
from collections.abc import Mapping
from typing import Any

from .standard import Standard

log = logging.getLogger(__name__)

#: Apple has changed its issuer from one of these to the other without notice.
ISSUERS = ("https://appleid.apple.com", "https://account.apple.com")


class Preset(Standard):
    """Apple."""

    def is_metadata_issuer(self, issuer: str) -> bool:
        """Whether the metadata are Apple's."""
        return issuer in self._issuers()

    def is_issuer(self, claims: Mapping[str, Any]) -> bool:
        """Whether an ID token comes from Apple."""
        if "transfer_sub" in claims:
            log.warning("an app was transferred to another team at Apple", extra={"provider": self.provider.id})
        return claims["iss"] in self._issuers()

    def authorization_parameters(self) -> dict[str, str]:
        """Apple sends names and emails only with a form."""
        return {"response_mode": "form_post"}

    def authenticate(self, fields: dict[str, str], _token_endpoint: str) -> None:
        """Add a client secret for this request."""
        fields["client_id"] = self.provider.client_id
        fields["client_secret"] = self.sign_assertion(self.provider.team_id, self.provider.issuer)

    def _issuers(self) -> tuple[str, ...]:
        return ISSUERS if self.provider.issuer in ISSUERS else (self.provider.issuer,)
