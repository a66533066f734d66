"""The tables: organisations, their members, and open invitations."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from userapi.extending import RowId, UTCDateTime, make_metadata


class Base(DeclarativeBase):
    """The tables of this extension, whose names begin with `organisations_`."""

    metadata = make_metadata()


class Role(StrEnum):
    """What a member may do: owners everything, admins invite and remove members."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class Organisation(Base):
    """A group of users with a name."""

    __tablename__ = "organisations_organisations"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Membership(Base):
    """A user in an organisation."""

    __tablename__ = "organisations_memberships"

    organisation_id: Mapped[int] = mapped_column(
        RowId, sa.ForeignKey("organisations_organisations.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(sa.String(10))
    joined_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Invitation(Base):
    """An invitation that was not accepted yet.

    Attributes:
        email: where it was sent.
        email_key: the same in the form by which spellings are compared: an organisation invites it once.
        digest: SHA-256 of the token in the link.
    """

    __tablename__ = "organisations_invitations"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "email_key"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(
        RowId, sa.ForeignKey("organisations_organisations.id", ondelete="CASCADE")
    )
    email: Mapped[str] = mapped_column(sa.String(254))
    email_key: Mapped[str] = mapped_column(sa.String(254), index=True)
    role: Mapped[str] = mapped_column(sa.String(10))
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    invited_by: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)
