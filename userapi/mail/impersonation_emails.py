"""The email about an impersonation, as in `emails`: it is sent when the impersonation has ended."""

from datetime import datetime

import sqlalchemy as sa
from flask_babel import lazy_gettext

from userapi.core import clock, loop
from userapi.core.writes import count_rows

from .emails import SUSPICIOUS, Addressee, queue_email
from .models import EmailMessage
from .queue import LOOP

KIND = "impersonation"


def send_impersonated(to: Addressee, *, reason: str, when: datetime, ends_at: datetime, may_write: bool) -> None:
    """Report that a member of staff, who is not named, has acted as the user.

    Args:
        to: who gets the email.
        reason: what the member of staff gave as the reason.
        when: it began.
        ends_at: when it ends at the latest, and so when the email is sent.
        may_write: whether the member of staff could change names, language and profile.
    """
    subject = lazy_gettext("Our staff looked at your account")
    reason = _plain(reason)
    queue_email(KIND, to, subject, not_before=ends_at, reason_given=reason, when=when, may_write=may_write)


def _plain(reason: str) -> str:
    """A reason without the punctuation that a mail program could turn into a link."""
    text = SUSPICIOUS.sub(lambda found: "".join(char if char.isalnum() else " " for char in found[0]), reason)
    return " ".join(text.split())


def send_now(user_id: int, ends_at: datetime) -> None:
    """Send the email of an impersonation now, because it ended early.

    Args:
        user_id: the user.
        ends_at: as for `send_impersonated`.
    """
    queued = sa.and_(
        EmailMessage.user_id == user_id,
        EmailMessage.kind == KIND,
        EmailMessage.due_at == ends_at,
        EmailMessage.attempts == 0,
    )
    if count_rows(sa.update(EmailMessage).where(queued).values(due_at=clock.now())):
        loop.wake_on_commit(LOOP)
