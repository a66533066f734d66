"""One row for each email."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime


class EmailMessage(Model):
    """An email, queued until it is sent or fails. Decision 0041 says why the table keeps its older name.

    Attributes:
        kind: the type of email, such as `reset_password`.
        user_id: the account that it is about, with which it is deleted; no foreign key, because users are above this.
        secret: the single-use tokens in `text` and `html`, one a line; removed from all three once the email is sent.
        message_id: the same for every attempt, so that mail programs recognize a second delivery.
        attempts: the number of delivery attempts, including the current one.
        expires_at: from when on it is no longer sent, because what it contains has expired; None if it never is.
        due_at: when the next attempt may start; None once the email is sent or failed.
        claimed_until: the end of the current worker's lease.
        sent_at, given_up_at: when it was sent, or failed permanently.
        last_error: the last error from the mail server.
    """

    __tablename__ = "messages"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    kind: Mapped[str] = mapped_column(sa.String(30))
    user_id: Mapped[int | None] = mapped_column(RowId, index=True)
    recipient: Mapped[str] = mapped_column(sa.String(254), index=True)
    subject: Mapped[str] = mapped_column(sa.String(200))
    text: Mapped[str] = mapped_column(sa.Text)
    html: Mapped[str] = mapped_column(sa.Text)
    secret: Mapped[str | None] = mapped_column(sa.String(100))
    message_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, default=uuid.uuid4)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    given_up_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_error: Mapped[str | None] = mapped_column(sa.String(500))
