"""The tables of the shop."""

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from userapi.extending import RowId, make_metadata


class Base(DeclarativeBase):
    """The models of the shop."""

    metadata = make_metadata()


class Basket(Base):
    """What a user is about to buy."""

    __tablename__ = "shop_baskets"

    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    items: Mapped[int] = mapped_column(default=0, server_default="0")


class Order(Base):
    """What a user has bought. It stays for a moment when the user is deleted."""

    __tablename__ = "shop_orders"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    customer: Mapped[int] = mapped_column(RowId, index=True)
    items: Mapped[int]
