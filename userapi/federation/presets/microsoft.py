"""Microsoft. Its metadata are a template, each tenant is an issuer of its own, and any tenant can write any email."""

import re
from collections.abc import Mapping
from typing import Any

from .standard import TRUE, Standard

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

#: The tenant of all personal accounts.
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"

#: What Microsoft's metadata have in place of the tenant.
PLACE = "{tenantid}"


class Preset(Standard):
    """Microsoft. `PROVIDER_X_TENANT` names tenants, or `common`, `organizations` or `consumers`."""

    @property
    def metadata_url(self) -> str:
        """Where the metadata are: of the only tenant, or of all."""
        tenants = self.provider.tenants
        tenant = tenants[0] if len(tenants) == 1 else "common"
        return f"{self._issuer(tenant)}/.well-known/openid-configuration"

    def is_metadata_issuer(self, issuer: str) -> bool:
        """Whether the metadata are Microsoft's: a template, or of a tenant that is accepted."""
        return issuer == self._issuer(PLACE) or any(issuer == self._issuer(tenant) for tenant in self._named_tenants())

    def is_issuer(self, claims: Mapping[str, Any]) -> bool:
        """Whether an ID token comes from a tenant that is accepted, and names the same tenant as its issuer does."""
        tenant = claims.get("tid")
        is_tenant = isinstance(tenant, str) and UUID.fullmatch(tenant) is not None
        return is_tenant and claims["iss"] == self._issuer(str(tenant)) and self._is_accepted(str(tenant))

    def issuer_of(self, claims: Mapping[str, Any]) -> str:
        """The issuer of the tenant."""
        return self._issuer(claims["tid"])

    def is_email_trusted(self, claims: Mapping[str, Any], _email: str) -> bool:
        """Only if Microsoft says that the domain's owner was verified, whatever the settings say."""
        return claims.get("xms_edov") in (*TRUE, 1, "1")

    def _issuer(self, tenant: str) -> str:
        return f"{self.provider.issuer.rstrip('/')}/{tenant}/v2.0"

    def _named_tenants(self) -> tuple[str, ...]:
        return tuple(CONSUMERS if tenant == "consumers" else tenant for tenant in self.provider.tenants)

    def _is_accepted(self, tenant: str) -> bool:
        named = self._named_tenants()
        if named in ((), ("common",)):
            return True
        return tenant != CONSUMERS if named == ("organizations",) else tenant in named
