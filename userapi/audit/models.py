"""One row for each event."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime


class AuditEvent(Model):
    """An event: who did what to which target, when and from where.

    The ids are no foreign keys: an event outlives its actor and its target.

    Attributes:
        origin: a `core.context.Origin`. A version of the service that does not know the column leaves it unknown.
        os_user: the operating-system user at the command line.
        user_agent: at most 255 characters of the client's own description; not stored before revision 0019.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        sa.Index("ix_audit_events_target", "target_kind", "target_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    action: Mapped[str] = mapped_column(sa.String(50), index=True)
    actor_id: Mapped[int | None] = mapped_column(RowId, index=True)
    origin: Mapped[str] = mapped_column(sa.String(10), server_default="unknown")
    os_user: Mapped[str | None] = mapped_column(sa.String(64))
    target_kind: Mapped[str | None] = mapped_column(sa.String(30))
    target_id: Mapped[str | None] = mapped_column(sa.String(36))
    address: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(255))
    request_id: Mapped[str | None] = mapped_column(sa.String(128))
    changes: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
