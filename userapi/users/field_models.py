"""Rows about own fields of profiles: the search keys of their values, and the declarations that the service has had."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime, bytewise_text

from .field_definition import MAX_FIELD_NAME, MAX_KEY_LENGTH


class UserFieldKey(Model):
    """A value of an own field of a user, folded for filters, for search and to be unique.

    Attributes:
        is_unique: whether no other user may have the same key.
    """

    __tablename__ = "user_field_keys"

    field: Mapped[str] = mapped_column(sa.String(MAX_FIELD_NAME), primary_key=True)
    key: Mapped[str] = mapped_column(bytewise_text(MAX_KEY_LENGTH), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    is_unique: Mapped[bool] = mapped_column(default=False)


sa.Index(
    "uq_user_field_keys_field_key",
    UserFieldKey.field,
    UserFieldKey.key,
    unique=True,
    postgresql_where=UserFieldKey.is_unique.is_(True),
    sqlite_where=UserFieldKey.is_unique.is_(True),
)


class FieldKeyState(Model):
    """A field whose keys are complete: every user with a value has one.

    Attributes:
        built_at: since when.
    """

    __tablename__ = "field_key_states"

    field: Mapped[str] = mapped_column(sa.String(MAX_FIELD_NAME), primary_key=True)
    built_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ProfileDeclaration(Model):
    """A declaration of profile fields that the service has run with.

    Attributes:
        digest: SHA-256 of the document.
        document: the declaration, as `flask fields show` prints it.
    """

    __tablename__ = "profile_declarations"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    document: Mapped[str] = mapped_column(sa.Text)
    declared_at: Mapped[datetime] = mapped_column(UTCDateTime)
