"""Getting an account back from somebody who changed its email."""

from userapi.users import email_verification

from . import passwords, sessions


def undo_email_change(token: str) -> None:
    """Restore the old email by the link that was sent to it, end every session, and mail a link for a new password.

    The old password no longer signs in: the person who changed the email knew it.

    Raises:
        InvalidLink: the link is used, expired or altered.
        EmailTaken: another account has the email by now.
        TooManyRequests: the client has sent too many bad links.
    """
    user = email_verification.undo_change(token)
    sessions.end_sessions(user)
    passwords.send_reset_email(user)
