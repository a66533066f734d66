"""The table of API keys."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime


class ApiKey(Model):
    """An API key of a user. The key itself is not stored.

    Attributes:
        digest: SHA-256 of the key.
        name: what its owner calls it.
        last4: its last characters, by which its owner recognizes it.
        scopes: values of `core.scopes.Scope`, separated by spaces.
        addresses: the IP networks that it can be used from, separated by spaces; None if from everywhere.
        amr: the proofs of identity of the session that created it, as in `Session`.
        last_used_at: when it was used, to the hour; None if it never was.
        last_address: the IP address of that use.
        known_addresses: the IP addresses that it was used from, separated by spaces, of IPv6 the networks; None while
            there is only one.
        revoked_at: when it was ended before `expires_at`.
        replaced_by: the key that rotation has replaced it by.
        warned_days: the days before the end of which its owner was last warned; 0 once it has expired.
    """

    __tablename__ = "api_keys"

    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    last4: Mapped[str] = mapped_column(sa.String(4))
    scopes: Mapped[str] = mapped_column(sa.String(255))
    addresses: Mapped[str | None] = mapped_column(sa.String(1000))
    amr: Mapped[str] = mapped_column(sa.String(60))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_address: Mapped[str | None] = mapped_column(sa.String(45))
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    replaced_by: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    known_addresses: Mapped[str | None] = mapped_column(sa.String(1000))
    warned_days: Mapped[int | None] = mapped_column(sa.SmallInteger)
