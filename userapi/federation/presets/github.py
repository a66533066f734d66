"""GitHub. It is no OpenID provider: an access token, instead of an ID token, says who the user is."""

from typing import Any

from userapi.federation import requests_to_providers
from userapi.federation.metadata import Metadata
from userapi.federation.problems import ProviderAnswerInvalid

from .standard import Standard

#: Addresses that receive no email.
NOREPLY = "noreply.github.com"


class Preset(Standard):
    """github.com, or a GitHub Enterprise Server."""

    has_id_tokens = False

    def read_metadata(self) -> Metadata:
        """GitHub publishes none."""
        host = self.provider.issuer.rstrip("/")
        return Metadata(host, f"{host}/login/oauth/authorize", f"{host}/login/oauth/access_token", jwks_uri="")

    def is_metadata_issuer(self, issuer: str) -> bool:
        """Whether an answer comes from GitHub."""
        return issuer in (self.provider.issuer, f"{self.provider.issuer.rstrip('/')}/login/oauth")

    def read_claims(self, access_token: str) -> dict[str, Any]:
        """What an ID token would say: the numeric id, since names can change hands, and the verified primary email.

        Raises:
            ProviderUnavailable: GitHub does not answer.
            ProviderAnswerInvalid: the answer is unusable.
        """
        user = requests_to_providers.get_json(self.provider, f"{self._api}/user", "user", access_token)
        number = user.get("id")
        if not isinstance(number, int) or isinstance(number, bool):
            raise ProviderAnswerInvalid("subject")
        first, _blank, last = str(user.get("name") or "").strip().rpartition(" ")
        claims = {"iss": self.provider.issuer, "sub": str(number), "given_name": first or last}
        if first:
            claims["family_name"] = last
        emails = requests_to_providers.get_any_json(self.provider, f"{self._api}/user/emails", "emails", access_token)
        return {**claims, "email": _find_primary(emails), "email_verified": True}

    @property
    def _api(self) -> str:
        issuer = self.provider.issuer.rstrip("/")
        return "https://api.github.com" if issuer == "https://github.com" else f"{issuer}/api/v3"


def _find_primary(emails: object) -> str | None:
    """The primary email, if GitHub has verified it and it receives emails."""
    for entry in emails if isinstance(emails, list) else []:
        if isinstance(entry, dict) and entry.get("primary") is True and entry.get("verified") is True:
            email = entry.get("email")
            return email if isinstance(email, str) and not email.lower().endswith(NOREPLY) else None
    return None
