"""Email addresses: kept as typed, and one normal form by which they are unique and found."""

from email_validator import EmailNotValidError, validate_email

from userapi.core.problems import ValidationFailed

MAXIMUM_LENGTH = 254


class InvalidEmail(ValidationFailed):
    """The address cannot receive mail."""


def normal_form(address: str) -> str:
    """The key of an address: case-folded local part, A-label domain (RFC 5891).

    A local part of other than ASCII letters is refused, also where NFKC would make it one: mail goes to the address as
    it was typed, and servers without SMTPUTF8 cannot take it. Of ASCII, NFKC and case folding make lower case.

    Raises:
        ValueError: when it is no address, or such a one.
    """
    if len(address) > MAXIMUM_LENGTH:
        raise ValueError(f"Longer than maximum length {MAXIMUM_LENGTH}.")
    if not address.rpartition("@")[0].isascii():
        raise ValueError("Only ASCII letters are possible before the @.")
    try:
        checked = validate_email(address, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError(f"Not a valid email address. {error}") from error
    return f"{checked.local_part.lower()}@{checked.ascii_domain.lower()}"


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
