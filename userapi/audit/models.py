"""One row for each event."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime


def _where(condition: str) -> dict[str, Any]:
    """The options of an index that has only some of the rows."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


class AuditEvent(Model):
    """An event: who did what to which target, when and from where.

    The ids are no foreign keys: an event outlives its actor and its target.

    Attributes:
        origin: a `core.context.Origin`. A version of the service that does not know the column leaves it unknown.
        os_user: the operating-system user at the command line.
        user_agent: at most 255 characters of the client's own description; not stored before revision 0019.
        key_id: the API key that the request was made with.
        impersonator_id: the member of staff who acted as the actor, or began to.
        position: in the event feed; None until a reader of the feed needs it.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        sa.Index("ix_audit_events_target", "target_kind", "target_id", "id"),
        sa.Index("ix_audit_events_impersonator_id", "impersonator_id", **_where("impersonator_id IS NOT NULL")),
        sa.Index("ix_audit_events_position", "position", unique=True, **_where("position IS NOT NULL")),
        sa.Index("ix_audit_events_without_position", "id", **_where("position IS NULL")),
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
    key_id: Mapped[str | None] = mapped_column(sa.String(36))
    impersonator_id: Mapped[int | None] = mapped_column(RowId)
    changes: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    position: Mapped[int | None] = mapped_column(sa.BigInteger)


class EventFeed(Model):
    """The event feed: one row, from the moment that it is first read.

    Attributes:
        id: always 1.
        last_position: the greatest position that an event was given, which may have been deleted.
    """

    __tablename__ = "event_feed"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    last_position: Mapped[int] = mapped_column(sa.BigInteger)


class AddressRemoval(Model):
    """How far the IP addresses of old events were removed: one row, from the first time on.

    Attributes:
        id: always 1.
        removed_until: events before this time have no IP address any more.
    """

    __tablename__ = "address_removal"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    removed_until: Mapped[datetime] = mapped_column(UTCDateTime)
