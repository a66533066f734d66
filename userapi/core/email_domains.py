"""Emails whose domain may exist only inside an organisation, as `local` or `home.arpa`."""

from collections.abc import Iterable
from typing import Any

from email_validator import validate_email

#: email-validator refuses special-use domains whatever its options; below this one it takes them.
PUBLIC_SUFFIX = ".example.com"

#: The domain of service accounts. No mail server ever has it (RFC 2606), so nothing that is sent there arrives.
SERVICE_DOMAIN = "service.invalid"


def is_service_address(address: str) -> bool:
    """Whether an email address is that of a service account, in its normal form or as it is stored."""
    return address.endswith(f"@{SERVICE_DOMAIN}")


def is_in_domains(domain: str, domains: Iterable[str]) -> bool:
    """Whether a domain is one of some, or below one of them."""
    domain = domain.lower()
    return any(domain == each or domain.endswith(f".{each}") for each in domains)


def split_email(email: str, *, is_intranet: bool, **options: Any) -> tuple[str, str]:
    """The local part and the ASCII domain (RFC 5891) of an email.

    Args:
        email: the email.
        is_intranet: whether its domain may be one that mail from elsewhere cannot reach.
        options: of email-validator.

    Raises:
        email_validator.EmailNotValidError: it is no email.
    """
    suffix = PUBLIC_SUFFIX if is_intranet and not email.endswith("]") else ""
    found = validate_email(email + suffix, check_deliverability=False, globally_deliverable=not is_intranet, **options)
    return found.local_part, found.ascii_domain.removesuffix(suffix)
