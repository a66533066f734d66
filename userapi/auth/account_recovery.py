"""Recovering an account whose email someone else changed."""

from userapi.users import email_verification

from . import passwords, sessions


def undo_email_change(token: str) -> None:
    """Restore the old email with the link that was sent to it, end every session, and email a link for a new password.

    The old password no longer works, because the person who changed the email knew it.

    Raises:
        InvalidLink: the link was used, has expired or was altered.
        EmailTaken: another account has this email now.
        TooManyRequests: the client has sent too many bad links.
    """
    user = email_verification.undo_email_change(token)
    sessions.end_sessions(user)
    passwords.send_reset_email(user)
