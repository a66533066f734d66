"""The tables of sessions, with one row for each sign-in, and of sign-ins that wait for their second step."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from userapi.core.db import Model, RowId, UTCDateTime
from userapi.users.models import User


class Session(Model):
    """A session: tokens only name it, and this row says whether it is active.

    Attributes:
        session_version: that of the user when the session began; the session has ended if the user's differs.
        refresh_jti: the `jti` of the only valid refresh token.
        previous_jti: the `jti` of the refresh token that this one replaced.
        refreshed_at: when it was replaced.
        expires_at: when the session ends at the latest; a refresh does not change it.
        ended_at: when it was ended before that.
        way: how it began, a value of `assurance.Way`.
        amr: the proofs of identity that were given, values of `assurance.Proof` separated by spaces.
        proved_at: when the last of them was given.
        for_set_up: whether it only allows to set up a second factor.
    """

    __tablename__ = "login_sessions"

    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_version: Mapped[int] = mapped_column(sa.Integer)
    refresh_jti: Mapped[uuid.UUID] = mapped_column(sa.Uuid)
    previous_jti: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    refreshed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    address: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(255))
    way: Mapped[str] = mapped_column(sa.String(60), server_default="password")
    amr: Mapped[str] = mapped_column(sa.String(60), server_default="pwd")
    proved_at: Mapped[datetime] = mapped_column(UTCDateTime, server_default=sa.func.current_timestamp())
    for_set_up: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())

    user: Mapped[User] = relationship()


class PendingSignIn(Model):
    """A sign-in that waits for its second step; it is single-use.

    Attributes:
        digest: of its token.
        session_version: that of the user at that time; the sign-in is void if the user's differs.
        way: how the session would begin.
        amr: what was proved.
        used_at: when the second step was done.
    """

    __tablename__ = "pending_sign_ins"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_version: Mapped[int] = mapped_column(sa.Integer)
    way: Mapped[str] = mapped_column(sa.String(60))
    amr: Mapped[str] = mapped_column(sa.String(60))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
