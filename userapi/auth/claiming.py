"""Giving an account to the owner of its email address, if someone else may have opened it (decision 0067)."""

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.context import get_acting_context
from userapi.federation import identities
from userapi.mail import code_emails
from userapi.mfa import factors
from userapi.users import email_links, email_verification
from userapi.users.models import User

from . import api_keys, second_step, sessions


def claim(user: User) -> bool:
    """Confirm the email address of a locked user, and remove everything that gave access before it was confirmed.

    The user who registered the address may not own it, so the password goes too. If the second step is on, nothing is
    written, not even that the address is confirmed: it belongs to the user who set it up, and a mailbox must not be
    enough to remove it. `admission` confirms the address once the second step is done.

    Returns:
        Whether that was done; False if the address was confirmed before, or the second step is on.
    """
    if not _confirm_owner(user):
        return False
    if user.password_hash is not None:
        user.password_hash = None
        audit_log.record("user.password_removed", "user", user.id)
    audit_log.record("user.claimed", "user", user.id)
    code_emails.send_account_claimed(user, when=clock.now(), ip=get_acting_context().ip_address)
    return True


def confirm_with_new_password(user: User) -> None:
    """Confirm the email address of a locked user who has just set a password with a link that was sent to it.

    If the address was not confirmed before, what `_confirm_owner` removes goes. If the second step is on, it stays, and
    the address stays unconfirmed; only the identities, which replace the password, go with the old one.
    """
    if not _confirm_owner(user) and user.email_verified_at is None:
        identities.unlink_all(user)


def _confirm_owner(user: User) -> bool:
    """Confirm the email address of a locked user whose password is replaced, and remove what else gave access.

    This follows a secret that was emailed to the address: it proves who owns the address, but not who opened the
    account. Identities at providers, passkeys, other factors, a waiting change of email, the links in emails, API keys
    and all sessions go.

    Returns:
        Whether that was done; False, and nothing is written, if the address was confirmed before or the second step is
        on.
    """
    if user.email_verified_at is not None or second_step.find_second_step(user.id) is not None:
        return False
    email_verification.mark_email_verified(user)
    email_links.invalidate_links(user)
    email_links.invalidate_undo_links(user)
    identities.unlink_all(user)
    factors.remove_all(user)
    second_step.cancel(user.id)
    api_keys.revoke_all(user.id)
    sessions.end_sessions(user)
    return True
