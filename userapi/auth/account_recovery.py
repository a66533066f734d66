"""Recovering an account whose email someone else changed."""

from userapi.federation import identities
from userapi.mfa import factors
from userapi.users import email_verification
from userapi.users.models import User

from . import api_keys, passwords, second_step, sessions


def undo_email_change(token: str) -> None:
    """Restore the old email with the link that was sent to it, end every session, and email a link for a new password.

    The old password no longer works, because the person who changed the email knew it. Second factors, recovery codes,
    remembered devices, linked accounts of other services and API keys are removed, because that person may have added
    them.

    Raises:
        InvalidLink: the link was used, has expired or was altered.
        EmailTaken: another account has this email now.
        TooManyRequests: the client has sent too many bad links.
    """
    user = email_verification.undo_email_change(token)
    remove_access(user)
    passwords.send_reset_email(user)


def remove_access(user: User) -> None:
    """Remove everything but the password that gives access to the account of a locked user, and end every session."""
    factors.remove_all(user)
    second_step.cancel(user.id)
    identities.unlink_all(user)
    api_keys.revoke_all(user.id)
    sessions.end_sessions(user)
