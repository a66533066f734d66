"""The links that restore closed accounts."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime


class AccountRestore(Model):
    """A link that restores a closed account: 256 random bits, of which only the digest is kept.

    Attributes:
        email: the address it was sent to, as typed; restoring the account gives it this address.
        expires_at: when the account is deleted.
        used_at: when the account was restored with this link.
    """

    __tablename__ = "account_restores"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(sa.String(254))
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
