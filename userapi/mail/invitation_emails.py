"""The email with an invitation."""

from datetime import datetime
from typing import Any

from flask_babel import gettext
from flask_babel.speaklater import LazyString

from userapi.core.site import get_site

from .emails import Addressee, queue_email

#: The kinds of these emails: to someone without an account, and to someone who has one.
KINDS = (INVITATION, TO_ACCOUNT) = ("invitation", "invitation_to_account")


def send_invitation(
    to: Addressee, *, has_account: bool, inviter: str, message: str, link: str, secret: str, expires_at: datetime
) -> None:
    """Invite someone to open an account, or to sign in to the account that they have.

    Args:
        to: who gets the email.
        has_account: whether an account has the address.
        inviter: the name or email address of who invites; empty for the command line.
        message: of the member of staff who invites; may be empty.
        link: the URL with the secret, or that of the sign-in.
        secret: the token in it, removed once the email is sent; empty for a sign-in.
        expires_at: when the link expires.
    """
    kind = TO_ACCOUNT if has_account else INVITATION
    subject = LazyString(_subject, str(get_site()))
    facts: dict[str, Any] = {"inviter": inviter, "message": message, "link": link, "expires_at": expires_at}
    queue_email(kind, to, subject, secret=secret or None, not_after=expires_at, **facts)


def _subject(site: str) -> str:
    return str(gettext("You have been invited to %(site)s", site=site))
