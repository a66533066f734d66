"""Email addresses: kept as typed, and one normal form by which they are unique and found."""

import unicodedata

from email_validator import EmailNotValidError, validate_email

from userapi.core.problems import ValidationFailed

MAXIMUM_LENGTH = 254


class InvalidEmail(ValidationFailed):
    """The address cannot receive mail."""


def normal_form(address: str) -> str:
    """The key of an address: NFKC and case-folded local part, A-label domain (RFC 5891).

    Raises:
        ValueError: when it is no address, or one that mail servers without SMTPUTF8 cannot take.
    """
    if len(address) > MAXIMUM_LENGTH:
        raise ValueError(f"Longer than maximum length {MAXIMUM_LENGTH}.")
    try:
        checked = validate_email(address, check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(f"Not a valid email address. {error}") from error
    if checked.ascii_local_part is None or checked.ascii_domain is None:
        raise ValueError("Only ASCII letters are possible before the @.")
    local = unicodedata.normalize("NFKC", checked.ascii_local_part).casefold()
    return f"{local}@{checked.ascii_domain.lower()}"


def key_or_none(address: str) -> str | None:
    """The key of an address, or None when it is none: nobody can have it."""
    try:
        return normal_form(address.strip(" "))
    except ValueError:
        return None


def checked(address: str, field: str = "email") -> tuple[str, str]:
    """An address as typed, outer blanks apart, and its key.

    Raises:
        InvalidEmail: naming the field.
    """
    typed = address.strip(" ")
    try:
        return typed, normal_form(typed)
    except ValueError as error:
        raise InvalidEmail(errors={field: [str(error)]}) from error
