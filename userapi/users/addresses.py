"""Whether an address is its owner's: verification, and the change to another address."""

from flask import current_app

from userapi.audit import trail
from userapi.core import clock
from userapi.mail import letters

from . import emails, one_time, queries
from .links import link
from .models import User
from .problems import EmailTaken


def ask_to_verify(user: User) -> None:
    """Mail a link that confirms a user's present address, unless the deployer wants none confirmed."""
    if current_app.config["EMAIL_VERIFICATION"] == "none" or user.email_verified_at is not None:
        return
    token = one_time.issue(user, one_time.VERIFY_EMAIL, user.email_key)
    letters.verify_email(recipient=user.email, name=user.first_name, link=link("verify-email", token), secret=token)


def ask_again(email: str) -> None:
    """Mail the link again, if there is an active account with this address that is not confirmed.

    What an unknown address costs is written and discarded, so that it takes as long.
    """
    key = emails.key_or_none(email)
    user = queries.by_email_key(key) if key else None
    if user is not None and user.is_active and user.email_verified_at is None:
        ask_to_verify(user)
    else:
        letters.decoy()
    trail.record("email.verification_requested", "user" if user else None, user.id if user else None)


def ask_to_change(user: User, email: str) -> None:
    """Let another address wait, and mail it the link that confirms it.

    Args:
        user: held.
        email: as typed.

    Raises:
        InvalidEmail, EmailTaken: and nothing is written.
    """
    typed, key = emails.checked(email)
    if key == user.email_key:
        user.email, user.pending_email = typed, None
        return
    if queries.key_is_taken(key):
        raise EmailTaken
    user.pending_email = typed
    token = one_time.issue(user, one_time.CHANGE_EMAIL, key)
    letters.confirm_new_email(recipient=typed, name=user.first_name, link=link("verify-email", token), secret=token)
    trail.record("email.change_requested", "user", user.id)


def confirm(token: str) -> User:
    """Confirm the address that a link was mailed to; a waiting address takes the place of the old one.

    Raises:
        InvalidLink: the link is no good, or another address is wanted by now.
        EmailTaken: somebody else has confirmed the address meanwhile.
    """
    found, user = one_time.spend(token, (one_time.VERIFY_EMAIL, one_time.CHANGE_EMAIL))
    if found.purpose == one_time.CHANGE_EMAIL:
        _replace(user, found.address_key)
    elif found.address_key != user.email_key:
        raise one_time.InvalidLink
    if user.email_verified_at is None:
        user.email_verified_at = clock.now()
        trail.record("email.verified", "user", user.id)
    return user


def _replace(user: User, address_key: str) -> None:
    if user.pending_email is None or emails.key_or_none(user.pending_email) != address_key:
        raise one_time.InvalidLink
    old, new = user.email, user.pending_email
    user.email, user.email_key, user.pending_email, user.email_verified_at = new, address_key, None, None
    queries.flush()
    letters.email_changed(recipient=old, name=user.first_name, new_address=new)
    trail.record("user.changed", "user", user.id, {"email": (old, new)})
