"""One row for each notice to another service, or to a subscriber of an extension."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime

HAS_FAILED = sa.text("failed_at IS NOT NULL")


class Notice(Model):
    """Something that must reach its recipient, queued until it was accepted or fails.

    Attributes:
        kind: the kind of notice, which says how it is delivered.
        service: the recipient: the label of a service in limits, metrics and logs, or the name of a subscriber.
        url: where it is sent; empty for a subscriber.
        content: what it says, as JSON. Secrets do not belong in it.
        attempts: the number of attempts, including the current one.
        due_at: when the next attempt may start; None once the notice was sent or failed.
        claimed_until: the end of the current worker's lease.
        sent_at, failed_at: when the recipient accepted it, or when the attempts ended.
        last_error: why the last attempt failed.
    """

    __tablename__ = "notices"
    __table_args__ = (
        sa.Index("ix_notices_failed_at", "failed_at", postgresql_where=HAS_FAILED, sqlite_where=HAS_FAILED),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    kind: Mapped[str] = mapped_column(sa.String(30))
    service: Mapped[str] = mapped_column(sa.String(100))
    url: Mapped[str] = mapped_column(sa.String(1000))
    content: Mapped[str] = mapped_column(sa.Text)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_error: Mapped[str | None] = mapped_column(sa.String(100))
