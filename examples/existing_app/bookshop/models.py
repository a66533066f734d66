"""The tables of the shop. An order belongs to an account of userapi."""

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from userapi.mounting import users


class Base(DeclarativeBase):
    """The shop's own tables, apart from those of the accounts."""


db = SQLAlchemy(model_class=Base)


class Order(Base):
    """A book that a user ordered; deleted together with the account."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(db.String(200))
    user_id: Mapped[int] = mapped_column(db.BigInteger, db.ForeignKey(users.c.id, ondelete="CASCADE"), index=True)
