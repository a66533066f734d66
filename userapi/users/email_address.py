"""Email addresses: kept as typed, and one normal form by which they are unique and found."""

import re
from functools import lru_cache

from email_validator import EmailNotValidError
from flask import current_app, has_app_context
from flask_babel import gettext, lazy_gettext
from flask_babel import gettext as _

from userapi.core.email_domains import is_in_domains, is_service_address, split_email
from userapi.core.i18n import get_language_tag
from userapi.core.problems import ValidationFailed
from userapi.http.fields import trim_text

from .fields import USER

MAX_LENGTH = USER["email"].max_length

#: A local part in which nothing can be wrong: then only the domain, which many share, is looked at.
PLAIN = re.compile(r"(?=.{1,64}$)[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")

RESERVED_DOMAIN = lazy_gettext(
    "The part after the @-sign is a special-use or reserved name that cannot be used with email."
)

#: The most frequent errors of email-validator. Its other errors quote what was typed, and are in English only.
REASONS = (
    lazy_gettext("An email address must have an @-sign."),
    lazy_gettext("There must be something before the @-sign."),
    lazy_gettext("There must be something after the @-sign."),
    lazy_gettext("The part after the @-sign is not valid. It should have a period."),
    lazy_gettext("The part after the @-sign is not valid. It is not within a valid top-level domain."),
    RESERVED_DOMAIN,
    lazy_gettext("An email address cannot start with a period."),
    lazy_gettext("An email address cannot have two periods in a row."),
    lazy_gettext("An email address cannot have a period immediately before the @-sign."),
    lazy_gettext("An email address cannot have a period immediately after the @-sign."),
    lazy_gettext("An email address cannot end with a period."),
)


class InvalidEmail(ValidationFailed):
    """The email cannot receive emails."""


def normal_form(address: str) -> str:
    """The key of an email: case-folded local part, A-label domain (RFC 5891).

    A local part that is not ASCII is rejected, even if NFKC would turn it into ASCII: the service writes to it as
    typed, and servers without SMTPUTF8 cannot accept it. NFKC and case folding turn ASCII into lower case. So are the
    addresses of service accounts, which no one can give in a form or a file.

    Raises:
        ValueError: it is not an email, or its local part is not ASCII.
    """
    key = _fold(address)
    if is_service_address(key):  # whatever EMAIL_INTRANET_DOMAINS allows
        raise ValueError(" ".join((_("Not a valid email address."), str(RESERVED_DOMAIN))))
    return key


def _fold(address: str) -> str:
    if len(address) > MAX_LENGTH:
        raise ValueError(_("Longer than maximum length {max}.").format(max=MAX_LENGTH))
    local, _at, domain = address.rpartition("@")
    if not local.isascii():
        raise ValueError(_("Only ASCII characters are allowed before the @."))
    try:
        if PLAIN.fullmatch(local):
            key = f"{local.lower()}@{_ascii_domain(domain, _is_intranet(domain))}"
            if len(key) <= MAX_LENGTH:
                return key
        local, ascii_domain = split_email(address, is_intranet=_is_intranet(domain), strict=True)
    except EmailNotValidError as error:
        raise ValueError(" ".join((_("Not a valid email address."), *_reason(error)))) from error
    return f"{local.lower()}@{ascii_domain.lower()}"


@lru_cache(maxsize=1024)
def _ascii_domain(domain: str, is_intranet: bool) -> str:
    return split_email(f"a@{domain}", is_intranet=is_intranet, strict=True)[1].lower()


def _is_intranet(domain: str) -> bool:
    """Whether the deployer has named a domain that mail from elsewhere cannot reach."""
    domains = current_app.config["EMAIL_INTRANET_DOMAINS"] if has_app_context() else ()
    return bool(domains) and is_in_domains(domain, domains)


def key_or_none(address: str) -> str | None:
    """The key of an email, or None if it is not a valid email and so no user has it."""
    try:
        return normal_form(trim_text(address))
    except ValueError:
        return None


def find_account_key(address: str) -> str | None:
    """The key of an account's email, also of a service account's; None if no account can have it."""
    text = trim_text(address).lower()
    return text if is_service_address(text) else key_or_none(address)


def checked(address: str, field: str = "email") -> tuple[str, str]:
    """An email as typed, without blanks and invisible characters around it, and its key.

    Raises:
        InvalidEmail: naming the field.
    """
    typed = trim_text(address)
    try:
        return typed, normal_form(typed)
    except ValueError as error:
        raise InvalidEmail(errors={field: [str(error)]}) from error


def _reason(error: EmailNotValidError) -> tuple[str, ...]:
    """What is wrong with an address, as far as it can be said in the caller's language."""
    text = str(error)
    known = str(gettext(text))
    return (known,) if known != text or get_language_tag() == "en" else ()
