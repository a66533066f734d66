"""The letters we send, one function each: plain facts in, a row in the outbox.

Names, addresses and browsers come from people we do not know, and the letter comes from us: what they typed is said
only where it cannot carry a message, a link or markup of their own. A letter is in the language of its recipient, where
that is known, not of whoever caused it: a warning must be read by the one who is warned. The `user_id` is that of the
account which it is about: it is deleted with that account.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import gettext, lazy_gettext
from flask_babel.speaklater import LazyString

from userapi.core.db import db
from userapi.core.i18n import listed
from userapi.http.user_agents import describe

from . import outbox
from .models import Message

#: What a mail program could make a link of, what lays text out, and what turns it round.
SUSPICIOUS = re.compile(
    r"[/\\@<>\[\]{}|`]|\w:|[.。．｡]\w{2}|www|[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", re.IGNORECASE
)

#: A greeting is no place for a longer text.
LONGEST_NAME = 50

RIGHTS = {"is_staff": lazy_gettext("staff member"), "is_superuser": lazy_gettext("superuser")}


def verify_email(
    *, user_id: int | None = None, recipient: str, name: str, language: str | None = None, link: str, secret: str
) -> None:
    """Ask for a new account's address to be confirmed."""
    outbox.write(
        "verify_email",
        recipient,
        lazy_gettext("Confirm your email address"),
        language=language,
        user_id=user_id,
        secret=secret,
        name=plain(name),
        link=link,
    )


def confirm_new_email(
    *, user_id: int | None = None, recipient: str, name: str, language: str | None = None, link: str, secret: str
) -> None:
    """Ask, at the new address, for a change of address to be confirmed."""
    outbox.write(
        "confirm_new_email",
        recipient,
        lazy_gettext("Confirm your new email address"),
        language=language,
        user_id=user_id,
        secret=secret,
        name=plain(name),
        link=link,
    )


def email_changed(
    *,
    user_id: int | None = None,
    recipient: str,
    name: str,
    language: str | None = None,
    new_address: str,
    link: str = "",
    secret: str = "",
    days: int = 0,
) -> None:
    """Tell the old email that another one, of which it gets a hint, has taken its place.

    Args:
        recipient: the old email.
        name: the first name, or nothing.
        language: the recipient's, if it is known; else the letter is in that of the request.
        new_address: the new email.
        link: undoes the change; nothing when it cannot be undone.
        secret: the token in the link, blanked once the letter is sent.
        days: how long the link is good.
    """
    outbox.write(
        "email_changed",
        recipient,
        lazy_gettext("Your email address was changed"),
        language=language,
        user_id=user_id,
        secret=secret,
        name=plain(name),
        new_address=masked(new_address),
        link=link,
        days=days,
    )


def reset_password(
    *,
    user_id: int | None = None,
    recipient: str,
    name: str,
    language: str | None = None,
    link: str,
    secret: str,
    minutes: int,
) -> None:
    """Give the link that sets a new password.

    Args:
        recipient: the account's address.
        name: the first name, or nothing.
        language: the recipient's, if it is known; else the letter is in that of the request.
        link: the whole address, the secret in it.
        secret: the token, blanked once the letter is sent.
        minutes: how long the link is good.
    """
    outbox.write(
        "reset_password",
        recipient,
        lazy_gettext("Reset your password"),
        language=language,
        user_id=user_id,
        secret=secret,
        name=plain(name),
        link=link,
        minutes=minutes,
    )


def invitation(
    *,
    user_id: int | None = None,
    recipient: str,
    name: str,
    language: str | None = None,
    inviter: str,
    link: str,
    secret: str,
    expires_at: datetime,
) -> None:
    """Invite somebody to set the first password of their account.

    Args:
        recipient: the account's address.
        name: the first name, or nothing.
        language: the recipient's, if it is known; else the email is in that of the request.
        inviter: the name or email of the person who invites; nothing when the command line does.
        link: the whole URL, the secret in it.
        secret: the token, blanked once the email is sent.
        expires_at: when the link stops working.
    """
    outbox.write(
        "invitation",
        recipient,
        LazyString(_invited_to, urlsplit(current_app.config["SITE_URL"]).netloc),
        language=language,
        user_id=user_id,
        secret=secret,
        name=plain(name),
        inviter=inviter,
        link=link,
        expires_at=expires_at,
    )


def _invited_to(site: str) -> str:
    return str(gettext("You have been invited to %(site)s", site=site))


def password_changed(
    *,
    user_id: int | None = None,
    recipient: str,
    name: str,
    language: str | None = None,
    when: datetime,
    address: str | None,
) -> None:
    """Tell that the password is another one now."""
    outbox.write(
        "password_changed",
        recipient,
        lazy_gettext("Your password was changed"),
        language=language,
        user_id=user_id,
        name=plain(name),
        when=when,
        address=address,
    )


def new_sign_in(
    *,
    user_id: int | None = None,
    recipient: str,
    name: str,
    language: str | None = None,
    when: datetime,
    address: str | None,
    user_agent: str | None,
) -> None:
    """Tell of a sign-in from an address and browser not seen before."""
    outbox.write(
        "new_sign_in",
        recipient,
        lazy_gettext("New sign-in to your account"),
        language=language,
        user_id=user_id,
        name=plain(name),
        when=when,
        address=address,
        device=LazyString(describe, user_agent),
    )


def token_reused(
    *,
    user_id: int | None = None,
    recipient: str,
    name: str,
    language: str | None = None,
    when: datetime,
    address: str | None,
) -> None:
    """Tell that a spent refresh token came back, and that its session was ended."""
    outbox.write(
        "token_reused",
        recipient,
        lazy_gettext("One of your sessions was ended"),
        language=language,
        user_id=user_id,
        name=plain(name),
        when=when,
        address=address,
    )


def rights_granted(
    *, user_id: int | None = None, recipient: str, name: str, language: str | None = None, rights: Sequence[str]
) -> None:
    """Tell of new staff rights.

    Args:
        recipient: the account's address.
        name: the first name, or nothing.
        language: the recipient's, if it is known; else the letter is in that of the request.
        rights: the fields that were set, as `is_staff`.
    """
    outbox.write(
        "rights_granted",
        recipient,
        lazy_gettext("You were given more permissions"),
        language=language,
        user_id=user_id,
        name=plain(name),
        rights=LazyString(listed, [RIGHTS.get(right, right) for right in rights]),
    )


def test_email(*, recipient: str) -> Message:
    """Show that emails arrive."""
    return outbox.write("test_email", recipient, lazy_gettext("Test email"), name="")


def decoy() -> None:
    """Do the work of a letter and keep nothing, so that an unknown address takes as long as a known one."""
    with db.session.begin_nested() as savepoint:
        reset_password(recipient="nobody@example.com", name="", link="", secret="", minutes=60)
        db.session.flush()
        savepoint.rollback()


def plain(name: str) -> str:
    """A name to greet with, or nothing when it could say more than a name does."""
    name = " ".join(name.split())
    return "" if len(name) > LONGEST_NAME or SUSPICIOUS.search(name) else name


def masked(address: str) -> str:
    """A hint at an address, enough for its owner and no link: `n…@e….com`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain[:1]}….{domain.rpartition('.')[2]}"
