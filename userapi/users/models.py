"""Rows about users: accounts, profiles, the links that were sent to them, and the filters that staff have saved."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, mapped_column, relationship

from userapi.core.db import JSON_OBJECT, Model, RowId, UTCDateTime, bytewise_text

from .field_definition import MAX_KEY_LENGTH, Field
from .fields import PROFILE, USER
from .group_models import Group, Permission, user_groups, user_permissions


def text(field: Field) -> sa.String:
    """The type of the column that holds a text field."""
    return sa.String(field.column_length or field.max_length)


class AccountKind(StrEnum):
    """What an account is for."""

    PERSON = "person"
    SERVICE = "service"


class User(Model):
    """An account. Its id is never used twice.

    Attributes:
        kind: a value of `AccountKind`; it never changes.
        email: as it was typed; mail goes here.
        email_key: its one normal form, by which it is unique and found.
        username_key, first_name_key, last_name_key: case-folded, for search and order.
        password_hash: None when no password signs this account in.
        session_version: sessions begun under another version are over; adding one ends them all.
        email_verified_at: when the present address was confirmed.
        pending_email: the address that becomes `email` once confirmed.
        language: of emails to the user, as BCP 47 names it; None while it is not known.
        closes_at: when the account is deleted, because its owner closed it; it is inactive until then.
        held_reason: of a legal hold, which keeps the account from being deleted; None without one.
        terms_version, terms_accepted_at: which terms the user accepted at registration, and when; None without any.
    """

    __tablename__ = "users"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(
        sa.String(10), default=AccountKind.PERSON.value, server_default=AccountKind.PERSON.value
    )
    email: Mapped[str] = mapped_column(text(USER["email"]))
    email_key: Mapped[str] = mapped_column(bytewise_text(USER["email"].max_length), unique=True)
    username: Mapped[str | None] = mapped_column(text(USER["username"]))
    username_key: Mapped[str | None] = mapped_column(bytewise_text(MAX_KEY_LENGTH), index=True)
    first_name: Mapped[str] = mapped_column(text(USER["first_name"]), default="")
    last_name: Mapped[str] = mapped_column(text(USER["last_name"]), default="")
    first_name_key: Mapped[str] = mapped_column(bytewise_text(MAX_KEY_LENGTH), default="")
    last_name_key: Mapped[str] = mapped_column(bytewise_text(MAX_KEY_LENGTH), default="")
    password_hash: Mapped[str | None] = mapped_column(sa.String(255))
    session_version: Mapped[int] = mapped_column(sa.Integer, default=0)
    is_active: Mapped[bool] = mapped_column(default=True)
    is_staff: Mapped[bool] = mapped_column(default=False)
    is_superuser: Mapped[bool] = mapped_column(default=False)
    email_verified_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    pending_email: Mapped[str | None] = mapped_column(text(USER["pending_email"]))
    language: Mapped[str | None] = mapped_column(text(USER["language"]))
    terms_version: Mapped[str | None] = mapped_column(text(USER["terms_version"]))
    terms_accepted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    date_joined: Mapped[datetime] = mapped_column(UTCDateTime)
    last_login: Mapped[datetime | None] = mapped_column(UTCDateTime)
    closes_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    held_reason: Mapped[str | None] = mapped_column(sa.Text)

    profile: Mapped["UserProfile | None"] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True, single_parent=True
    )
    groups: Mapped[list[Group]] = relationship(secondary=user_groups, order_by=Group.name, passive_deletes=True)
    permissions: Mapped[list[Permission]] = relationship(
        secondary=user_permissions, order_by=Permission.codename, passive_deletes=True
    )

    def __str__(self) -> str:
        return self.email

    @property
    def email_verified(self) -> bool:
        """Whether the present email address is confirmed."""
        return self.email_verified_at is not None

    @property
    def has_password(self) -> bool:
        """Whether a password signs this account in."""
        return self.password_hash is not None


# One index for each order of the list; the id decides between equal values.
sa.Index("ix_users_date_joined", User.date_joined, User.id)
sa.Index("ix_users_last_login", User.last_login, User.id)
sa.Index("ix_users_last_name_key", User.last_name_key, User.id)
sa.Index("ix_users_first_name_key", User.first_name_key, User.id)

# Staff are few: a list of them must not read past all other users.
for flag in (User.is_staff, User.is_superuser):
    few = flag.is_(True)
    sa.Index(f"ix_users_{flag.key}", User.date_joined, User.id, postgresql_where=few, sqlite_where=few)

few = User.is_active.is_(False)
sa.Index("ix_users_inactive", User.date_joined, User.id, postgresql_where=few, sqlite_where=few)

# Service accounts are few too.
is_service = User.kind == AccountKind.SERVICE.value
sa.Index("ix_users_services", User.id, postgresql_where=is_service, sqlite_where=is_service)

# So are closed and held accounts.
few = User.closes_at.is_not(None)
sa.Index("ix_users_closes_at", User.closes_at, User.id, postgresql_where=few, sqlite_where=few)
few = User.held_reason.is_not(None)
sa.Index("ix_users_held", User.id, postgresql_where=few, sqlite_where=few)

# PostgreSQL reads an index backwards with its nulls first; the list has them last in both directions.
sa.Index("ix_users_last_login_down", User.last_login.desc().nulls_last(), User.id.desc())


@compiles(sa.schema.CreateIndex, "sqlite")
def _without_nulls_last(element: sa.schema.CreateIndex, compiler: Any, **options: Any) -> str:
    """SQLite's indexes cannot have NULLS LAST, and do not need it: a null is its least value."""
    text: str = compiler.visit_create_index(element, **options)
    return text.replace(" NULLS LAST", "")


class ProfileValues:
    """The values of a profile, built-in and own: attributes with the names of the columns of `user_profiles`."""

    extra: Any

    def value_of(self, name: str) -> Any:
        """The value of a field, built-in or own; None without one."""
        return getattr(self, name) if name in PROFILE else (self.extra or {}).get(name)

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set fields, built-in and own; an empty value counts as none."""
        own = dict(self.extra or {})
        for name, value in values.items():
            stored = None if value in ("", []) else value
            if name in PROFILE:
                setattr(self, name, stored)
            elif stored is None:
                own.pop(name, None)
            else:
                own[name] = stored
        self.extra = own or None


class UserProfile(Model, ProfileValues):
    """The one profile of a user.

    Which of the built-in fields need a value depends on the declaration of the application.

    Attributes:
        extra: the values of own fields by name, also of fields that another version of the declaration has; a field
            without a value is left out.
    """

    __tablename__ = "user_profiles"

    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    title: Mapped[str | None] = mapped_column(text(PROFILE["title"]))
    dob: Mapped[date | None] = mapped_column(sa.Date)
    address: Mapped[str | None] = mapped_column(text(PROFILE["address"]))
    country: Mapped[str | None] = mapped_column(text(PROFILE["country"]))
    city: Mapped[str | None] = mapped_column(text(PROFILE["city"]))
    zip: Mapped[str | None] = mapped_column(text(PROFILE["zip"]))
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSON_OBJECT)

    user: Mapped[User] = relationship(back_populates="profile")


sa.Index("ix_user_profiles_country_user_id", UserProfile.country, UserProfile.user_id)


class OneTimeToken(Model):
    """A link that was mailed: 256 random bits, of which only the digest is kept.

    Attributes:
        purpose: the only use it is valid for: a key of `email_links.LIFETIME_SETTINGS`.
        address_key: the normal form of the address it was mailed to.
        previous_email: what a link that undoes a change of email restores, as it was typed.
        password_mark: where the link could take the account over, a mark of the password hash at that time; another
            password voids the link.
        used_at: when it was used, by one UPDATE that only one caller can win.
    """

    __tablename__ = "one_time_tokens"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(sa.String(20))
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    address_key: Mapped[str] = mapped_column(sa.String(254), index=True)
    previous_email: Mapped[str | None] = mapped_column(sa.String(254))
    password_mark: Mapped[str | None] = mapped_column(sa.String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class SavedFilter(Model):
    """A filter of the user list that a staff member has saved.

    Attributes:
        user_id: whose it is.
        query: the query string of the list, without a search.
    """

    __tablename__ = "saved_filters"
    __table_args__ = (sa.UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(60))
    query: Mapped[str] = mapped_column(sa.Text)
