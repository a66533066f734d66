"""Checking a code of any kind: of an authenticator app, or a recovery code."""

import unicodedata
from typing import Literal

from userapi.users import queries as user_queries

from . import recovery_codes, totp
from .problems import InvalidCode

#: The numbers of digits that codes of apps have.
APP_DIGITS = (6, 8)

#: A longer text is no code, whatever it contains.
MAX_TYPED_LENGTH = 100

Reference = Literal["otp", "lookup"]


def check(user_id: int, code: str) -> Reference:
    """Use up a code in the current transaction.

    Args:
        user_id: whose code it has to be.
        code: as typed: spaces, hyphens and case do not matter, digits of any script count.

    Returns:
        What was proved, as the claim `amr` names it (RFC 8176; `lookup` is ours): `otp` by an app, `lookup` by a
        recovery code.

    Raises:
        InvalidCode: it is no code of this user, or was used before.
        DataKeyMissing: it cannot be checked.
    """
    typed = normalize(code)
    if len(typed) in APP_DIGITS and totp.use_code(user_id, typed):
        return "otp"
    if recovery_codes.may_be_code(typed):  # some that came from other services have only digits
        user = user_queries.lock_user(user_id)
        if user is not None and recovery_codes.use_code(user, typed):
            return "lookup"
    raise InvalidCode


def is_like_code_of_app(code: str) -> bool:
    """Whether a code, as typed, looks like one of an app."""
    typed = normalize(code)
    return len(typed) in APP_DIGITS and typed.isdecimal()


def normalize(code: str) -> str:
    """A code without spaces and hyphens, its digits in ASCII."""
    if len(code) > MAX_TYPED_LENGTH:
        return ""
    characters = (_plain(character) for character in unicodedata.normalize("NFKC", code))
    return "".join(characters)


def _plain(character: str) -> str:
    if character.isspace() or unicodedata.category(character) in ("Pd", "Cf"):
        return ""
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)
