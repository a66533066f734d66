"""Recovering an account whose email someone else changed."""

from userapi.mfa import factors
from userapi.users import email_verification

from . import passwords, second_step, sessions


def undo_email_change(token: str) -> None:
    """Restore the old email with the link that was sent to it, end every session, and email a link for a new password.

    The old password no longer works, because the person who changed the email knew it. Second factors, recovery codes
    and remembered devices are removed, because that person may have added them.

    Raises:
        InvalidLink: the link was used, has expired or was altered.
        EmailTaken: another account has this email now.
        TooManyRequests: the client has sent too many bad links.
    """
    user = email_verification.undo_email_change(token)
    factors.remove_all(user)
    second_step.cancel(user.id)
    sessions.end_sessions(user)
    passwords.send_reset_email(user)
