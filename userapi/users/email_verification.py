"""Confirmation of email addresses, and changes of email."""

from datetime import datetime

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock
from userapi.mail import emails
from userapi.security import throttling

from . import account_kinds, email_address, email_links, queries, registration
from .models import User
from .problems import EmailTaken
from .site_urls import link


def send_verification_email(user: User) -> None:
    """Send a link that confirms a user's current email, unless the service confirms none."""
    if not _awaits_verification(user):
        return
    token = email_links.create_token(user, email_links.VERIFY_EMAIL, user.email_key)
    emails.send_verification(
        user,
        link=link("verify-email", token),
        secret=token,
    )


def resend_verification_email(email: str) -> None:
    """Send the link again, if there is an active account with this email that is not confirmed.

    For an unknown recipient, an email is written and discarded, so that the response takes as long. After too many
    emails to one recipient no more are written; the response does not show it.

    Raises:
        TooManyRequests: the client made too many requests, for any emails.
    """
    throttling.count_attempt("EMAIL_RESEND", throttling.get_client_subject())
    key = email_address.key_or_none(email)
    is_within_limit = throttling.try_attempt("EMAIL_RECIPIENT", key or email)
    user = queries.lock_user_by_email_key(key) if key else None
    if user is not None and user.is_active and _awaits_verification(user) and is_within_limit:
        send_verification_email(user)
    else:
        emails.simulate_password_reset()
    audit_log.record("email.verification_requested", "user" if user else None, user.id if user else None)


def request_email_change(user: User, email: str) -> bool:
    """Keep a new email as `pending_email`, and send it a link that confirms it.

    Args:
        user: locked.
        email: as typed.

    Returns:
        False when it is the user's email already: then no link is sent, and no other email waits any more.

    Raises:
        InvalidEmail, EmailTaken, EmailDomainNotAllowed: nothing is written then.
        TooManyRequests: too many requests by the user, or for the same email.
    """
    typed, key = email_address.checked(email)
    if key == user.email_key:
        user.email, user.pending_email = typed, None
        return False
    throttling.count_attempt("EMAIL_CHANGE", str(user.id))
    registration.require_allowed_domain(key)
    if queries.is_email_taken(key):
        raise EmailTaken
    require_not_reserved(user.id, key)
    throttling.count_attempt("EMAIL_RECIPIENT", key)
    user.pending_email = typed
    token = email_links.create_token(user, email_links.CHANGE_EMAIL, key)
    emails.send_email_change_confirmation(
        emails.at_address(user, typed),
        link=link("verify-email", token),
        secret=token,
    )
    audit_log.record("email.change_requested", "user", user.id)
    return True


def resend_confirmation_email(user: User) -> None:
    """Send a locked user the pending link again: to the new email if one is pending, otherwise to the current one.

    Raises:
        EmailTaken: another account has the pending email by now.
        TooManyRequests: it was mailed often enough.
    """
    if user.pending_email is None:
        throttling.count_attempt("EMAIL_RECIPIENT", user.email_key)
        send_verification_email(user)
    else:
        request_email_change(user, user.pending_email)


def find_email_of_link(token: str) -> str | None:
    """The email that a link would confirm; None if the link is invalid. Nothing is written."""
    found = email_links.find_valid_token(token, (email_links.VERIFY_EMAIL, email_links.CHANGE_EMAIL))
    if found is None:
        return None
    link_row, user = found
    return user.pending_email if link_row.purpose == email_links.CHANGE_EMAIL else user.email


def confirm_email(token: str) -> User:
    """Confirm the email that a link was sent to; a pending email replaces the current one.

    Raises:
        InvalidLink: the link is unknown, used or expired.
        EmailTaken: another account has confirmed the email.
        TooManyRequests: the client has opened too many invalid links.
    """
    with throttling.count_failures("LINK", throttling.get_client_subject()):
        found, user = email_links.use_token(token, (email_links.VERIFY_EMAIL, email_links.CHANGE_EMAIL))
    if found.purpose == email_links.CHANGE_EMAIL and user.pending_email is not None:
        old, new = user.email, user.pending_email
        replace_email(user, new, by_owner=True)
        audit_log.record("user.changed", "user", user.id, {"email": (old, new)})
    mark_email_verified(user)
    return user


def replace_email(user: User, email: str, *, by_owner: bool) -> None:
    """Give a locked user another email, unconfirmed, and notify the old one; earlier links become invalid.

    Args:
        user: locked.
        email: as typed.
        by_owner: whether the owner acts; then the old email, if it was confirmed, gets a link that undoes the change.
            A change by staff cannot be undone so: they may have made it because the old mailbox is in other hands.

    Raises:
        InvalidEmail, EmailTaken: nothing is written then.
    """
    typed, key = email_address.checked(email)
    old, old_key, was_verified = user.email, user.email_key, user.email_verified_at is not None
    user.email, user.email_key = typed, key
    if key == old_key:
        return
    user.email_verified_at = None
    queries.flush()
    email_links.invalidate_links(user)
    if by_owner:
        require_not_reserved(user.id, key)
    else:
        email_links.invalidate_undo_links(user)
    if not (by_owner and was_verified):
        emails.send_email_changed(emails.at_address(user, old), new_email=typed)
        return
    token = email_links.create_token(user, email_links.UNDO_EMAIL_CHANGE, old_key, previous_email=old)
    emails.send_email_changed(
        emails.at_address(user, old),
        new_email=typed,
        link=link("undo-email-change", token),
        secret=token,
        days=email_links.lifetime(email_links.UNDO_EMAIL_CHANGE).days,
    )


def undo_email_change(token: str) -> User:
    """Restore the email that a link to it was mailed for, and remove the password, which the thief may know.

    Links that undo earlier changes stay good, so that a thief who changes the email twice cannot invalidate the
    link that the owner got.

    Raises:
        InvalidLink: the link is used, expired or altered.
        EmailTaken: another account has the email by now.
        TooManyRequests: the client has sent too many bad links.
    """
    with throttling.count_failures("LINK", throttling.get_client_subject()):
        found, user = email_links.use_token(token, (email_links.UNDO_EMAIL_CHANGE,))
    restore_email(user, str(found.previous_email), found.address_key, replaced_at=found.created_at)
    return user


def restore_email(user: User, email: str, key: str, *, replaced_at: datetime) -> None:
    """Give a locked user an earlier email back, whose owner has just used a link, and remove the password.

    Args:
        user: locked.
        email: as it was typed.
        key: its normal form.
        replaced_at: when it was replaced; links that undo changes from then on become invalid.

    Raises:
        EmailTaken: another account has the email by now.
    """
    replaced = user.email
    user.email, user.email_key = email, key
    user.email_verified_at = clock.now()
    user.password_hash = None
    queries.flush()
    email_links.invalidate_links(user)
    email_links.invalidate_undo_links(user, since=replaced_at)
    emails.send_email_changed(emails.at_address(user, replaced), new_email=email)
    audit_log.record("email.change_undone", "user", user.id, {"email": (replaced, email)})


def require_not_reserved(user_id: int, key: str) -> None:
    """Reject an email that its former owner can still get back.

    Args:
        user_id: who wants it.
        key: its normal form. When it is the user's already, this decides between two who act at the same time.

    Raises:
        EmailTaken: another account gave it up within the last week.
    """
    if queries.is_reserved(key, email_links.UNDO_EMAIL_CHANGE, user_id, clock.now()):
        raise EmailTaken


def mark_email_verified(user: User) -> None:
    """Mark the current email of a locked user as confirmed."""
    if user.email_verified_at is None:
        user.email_verified_at = clock.now()
        audit_log.record("email.verified", "user", user.id)


def _awaits_verification(user: User) -> bool:
    if user.email_verified_at is not None or account_kinds.is_service(user):
        return False
    return bool(current_app.config["EMAIL_VERIFICATION"] != "none")
