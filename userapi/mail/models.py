"""One row for each letter."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime


class Message(Model):
    """A letter, from the transaction that caused it until it is sent or given up.

    Attributes:
        kind: why it was written, as `reset_password`.
        user_id: of the account that it is about, with which it is deleted; no foreign key, for users are above.
        secret: the one-time token inside `text` and `html`; blanked there and here once the letter is sent.
        message_id: the same in every attempt, so that a second delivery of one letter can be told.
        due_at: when the next attempt may begin; None once the letter is sent or given up.
        claimed_until: until when a deliverer has it to itself.
        sent_at, given_up_at: how it ended.
        last_error: what the mail server said last.
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
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    given_up_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_error: Mapped[str | None] = mapped_column(sa.String(500))
