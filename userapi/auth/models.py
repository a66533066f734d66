"""One row for each sign-in."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from userapi.core.db import Model, RowId, UTCDateTime
from userapi.users.models import User


class Session(Model):
    """A sign-in and what keeps it active. Tokens only name it; it decides.

    Attributes:
        session_version: the user's when it began; it is over once the user's is another.
        refresh_jti: the `jti` of the one refresh token that is good now.
        previous_jti: the `jti` of the one it replaced.
        refreshed_at: when it did.
        expires_at: the end that no refresh moves.
        ended_at: when it was ended before that.
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

    user: Mapped[User] = relationship()
