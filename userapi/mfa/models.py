"""The tables of second factors."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime

#: The maximum length of the name that a user gives a factor.
MAX_NAME_LENGTH = 60


class SecondFactors(Model):
    """What all second factors of an account share; an account without one has no row.

    Attributes:
        handle: random bytes by which passkeys name the account.
        active_since: since when a sign-in needs a second step; None if it needs none.
        failures: codes in a row that were counted and not accepted.
        last_failed_at: when the last one was counted.
        failing_reported_at: when the owner was last warned about them.
        codes_made_at: when the recovery codes were created.
    """

    __tablename__ = "second_factors"

    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    handle: Mapped[bytes] = mapped_column(sa.LargeBinary(64), unique=True)
    active_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    last_failed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failing_reported_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    codes_made_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class TotpDevice(Model):
    """An authenticator app (RFC 6238).

    Attributes:
        secret: base32, sealed for this row.
        last_step: the time step of the last code that was accepted; it and older ones are never accepted again.
        set_up_in: the session in which the app was added, and has to be confirmed.
        confirmed_at: when the first code was accepted; until then the app does not count.
    """

    __tablename__ = "totp_devices"

    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(MAX_NAME_LENGTH))
    secret: Mapped[str] = mapped_column(sa.Text)
    digits: Mapped[int] = mapped_column(sa.Integer, default=6)
    period: Mapped[int] = mapped_column(sa.Integer, default=30)
    algorithm: Mapped[str] = mapped_column(sa.String(10), default="SHA1")
    last_step: Mapped[int] = mapped_column(sa.BigInteger, default=-1)
    set_up_in: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class RecoveryCode(Model):
    """A recovery code.

    Attributes:
        digest: its authentication code under a data key.
        used_at: when it was used; it is single-use.
    """

    __tablename__ = "recovery_codes"

    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class RememberedDevice(Model):
    """A device on which the owner signs in without the second step.

    Attributes:
        digest: of its token.
        session_version: that of the user at that time; the device is forgotten if the user's differs.
    """

    __tablename__ = "remembered_devices"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, unique=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_version: Mapped[int] = mapped_column(sa.Integer)
    address: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(255))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
