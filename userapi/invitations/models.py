"""Invitations to open an account."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import JSON_OBJECT, Model, RowId, UTCDateTime, bytewise_text
from userapi.users.fields import USER

MAX_MESSAGE_LENGTH = 1000


class State(StrEnum):
    """The state of an invitation."""

    PENDING = "pending"
    EXPIRED = "expired"
    ACCEPTED = "accepted"
    REVOKED = "revoked"


class Invitation(Model):
    """An invitation. It reserves no email address: until it is accepted, the address can be registered otherwise.

    Attributes:
        email, email_key: as in `User`.
        digest: of the token in the newest link; earlier links are void.
        by_staff: whether staff or the command line sent it; otherwise a user who may invite others.
        by_operator: whether the command line sent it.
        inviter_id: the user who sent it; None for the command line, and once that user is deleted.
        facts: about the new user, as JSON has them: `first_name`, `last_name`, fields of the `profile`, and the ids of
            `groups`, which the user joins as far as the inviter may still add members to them.
        message: of the inviter, in the email.
        language: of the email and of the new user; None for that of the site.
        user_id: the account that was opened with it.
    """

    __tablename__ = "invitations"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(USER["email"].max_length))
    email_key: Mapped[str] = mapped_column(bytewise_text(USER["email"].max_length), index=True)
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    by_staff: Mapped[bool] = mapped_column(sa.Boolean)
    by_operator: Mapped[bool] = mapped_column(sa.Boolean)
    inviter_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON_OBJECT)
    message: Mapped[str | None] = mapped_column(sa.String(MAX_MESSAGE_LENGTH))
    language: Mapped[str | None] = mapped_column(sa.String(USER["language"].max_length))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    accepted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    user_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)

    @property
    def voids_earlier_links(self) -> bool:
        """Whether it was sent more than once, so that there are links that no longer work."""
        return self.sent_at != self.created_at


#: Whether an invitation was neither accepted nor revoked.
IS_OPEN = sa.and_(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))

# Inviting again replaces the earlier invitation: there is one of all staff, and one of each user who may invite others.
of_staff = sa.and_(Invitation.by_staff.is_(True), IS_OPEN)
of_users = sa.and_(Invitation.by_staff.is_(False), IS_OPEN)
sa.Index(
    "uq_invitations_email_key_of_staff", Invitation.email_key,
    unique=True, postgresql_where=of_staff, sqlite_where=of_staff,
)  # fmt: skip
sa.Index(
    "uq_invitations_email_key_inviter_id", Invitation.email_key, Invitation.inviter_id,
    unique=True, postgresql_where=of_users, sqlite_where=of_users,
)  # fmt: skip


def state_of(invitation: Any, now: datetime) -> State:
    """The state of an invitation, given as object or row."""
    if invitation.accepted_at is not None:
        return State.ACCEPTED
    if invitation.revoked_at is not None:
        return State.REVOKED
    return State.PENDING if invitation.expires_at > now else State.EXPIRED
