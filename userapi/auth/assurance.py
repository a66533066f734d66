"""How a session began, and how strong the proofs of identity are that were given for it."""

from enum import StrEnum


class Way(StrEnum):
    """How a session begins."""

    PASSWORD = "password"  # noqa: S105
    REGISTRATION = "registration"
    INVITATION = "invitation"
    PASSKEY = "passkey"
    CODE = "code"
    API_KEY = "api_key"
    LEGACY_TOKEN = "legacy_token"  # noqa: S105
    IMPERSONATION = "impersonation"


class Proof(StrEnum):
    """A proof of identity, as the claim `amr` names it (RFC 8176); `lookup`, `email` and `fed` are ours.

    Attributes:
        PASSWORD: a password.
        CODE: a code of an authenticator app.
        PASSKEY: a passkey.
        RECOVERY_CODE: a recovery code.
        MAILED_CODE: a code or link that was sent by email.
        PROVIDER: a sign-in with a provider.
        SEVERAL: proofs of two kinds, or a passkey that verified its user.
    """

    PASSWORD = "pwd"  # noqa: S105
    CODE = "otp"
    PASSKEY = "pop"
    RECOVERY_CODE = "lookup"
    MAILED_CODE = "email"
    PROVIDER = "fed"
    SEVERAL = "mfa"


class Level(StrEnum):
    """How sure the service is of the user, as the claim `acr` names it (NIST SP 800-63B)."""

    ONE_FACTOR = "aal1"
    TWO_FACTORS = "aal2"


def level_of(amr: str) -> Level:
    """The level that proofs of identity reach.

    Args:
        amr: the values of `Proof`, separated by spaces.
    """
    return Level.TWO_FACTORS if Proof.SEVERAL in amr.split() else Level.ONE_FACTOR
