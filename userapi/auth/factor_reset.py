"""Resetting the second factors of a user who has lost them, by staff or at the command line."""

from userapi.audit import audit_log
from userapi.core import clock
from userapi.mail import factor_emails
from userapi.mfa import factors
from userapi.users import email_links
from userapi.users.models import User

from . import passwords, sessions

#: The maximum length of a reason.
MAX_REASON_LENGTH = 200


def reset_factors(user: User, reason: str, *, keep_password: bool = False) -> None:
    """Delete every second factor of a locked user, and end all sessions.

    The password is removed too, and the user gets a link for a new one: the caller may have been deceived by someone
    who knows the password, and then this gives away nothing that the mailbox does not confirm (decision 0053).

    Args:
        user: locked.
        reason: why; the audit log keeps it, and the user reads it.
        keep_password: whether the password still works, and the user gets no link.

    Raises:
        NoFactor: the user has none.
    """
    factors.reset(user, reason)
    if not keep_password and user.password_hash is not None:
        user.password_hash = None
        email_links.invalidate_links(user)
        audit_log.record("user.password_removed", "user", user.id)
    sessions.end_sessions(user)
    factor_emails.send_factors_reset(user, when=clock.now(), reason=reason, must_reset_password=not keep_password)
    if not keep_password and user.is_active:
        passwords.send_reset_email(user)
