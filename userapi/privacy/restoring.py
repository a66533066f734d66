"""Restoring a closed account with the link from the email, until it is deleted."""

from userapi.audit import audit_log
from userapi.auth import account_recovery, claiming, sessions
from userapi.core import clock
from userapi.core.context import get_acting_context
from userapi.mail import closing_emails
from userapi.mfa import guesses
from userapi.security import throttling
from userapi.users import accounts, email_address, email_links, email_verification, password_policy
from userapi.users import queries as user_queries
from userapi.users.models import User

from . import queries


def restore_account(token: str, new_password1: str, new_password2: str) -> User:
    """Restore a closed account with a new password; what ended when it was closed stays ended.

    If the link was sent to an email address that had been replaced, the account gets that back. Second factors and
    accounts of other services are removed then: who changed the address may have added them.

    Args:
        token: of the link.
        new_password1, new_password2: as typed.

    Raises:
        InvalidLink: the link is unknown or used, or the account is not closed any more, or is deleted.
        ValidationFailed, WeakPassword: the password is rejected; the link still works, because the caller does not
            commit.
        EmailTaken: another account has the email address by now.
        TooManyRequests: the client sent too many invalid links.
    """
    with throttling.count_failures("LINK", throttling.get_client_subject()):
        user, email = _use_link(token)
    audit_log.record("user.activated", "user", user.id)
    audit_log.record("user.restored", "user", user.id)
    typed, key = email_address.checked(email)
    if key != user.email_key:
        _restore_email(user, typed, key)
    password_policy.require_same(new_password1, new_password2, accounts.personal_texts(user))
    accounts.set_password(user, new_password1, field="new_password1", notify=False)
    claiming.confirm_with_new_password(user)
    guesses.allow_codes_after_reset(user.id)
    sessions.end_sessions(user)
    closing_emails.send_account_restored(user, when=clock.now(), ip=get_acting_context().ip_address)
    return user


def find_email_of_link(token: str) -> str | None:
    """The email address that the account of a link will have; None if the link is invalid. Nothing is written."""
    return queries.find_valid_restore(email_links.hash_token(token), clock.now())


def _use_link(token: str) -> tuple[User, str]:
    """Use a link; its account, locked, and the address it was sent to."""
    digest, now = email_links.hash_token(token), clock.now()
    user_id = queries.reopen(digest, now)
    user = None if user_id is None else user_queries.lock_user(user_id)
    used = None if user is None else queries.use_restore(digest, now)
    if user is None or used is None:
        raise email_links.InvalidLink
    return user, used.email


def _restore_email(user: User, email: str, key: str) -> None:
    """Give a user an earlier email back, unless staff have changed the email since."""
    replaced_at = queries.find_replacement(user.id, key)
    if replaced_at is None:
        raise email_links.InvalidLink
    email_verification.restore_email(user, email, key, replaced_at=replaced_at)
    account_recovery.remove_access(user)
