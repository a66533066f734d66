"""Rows about people: users, their profile, and the groups and permissions that staff rights come from."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, mapped_column, relationship

from userapi.core.db import Model, RowId, UTCDateTime, bytewise_text

from .fields import MAX_KEY_LENGTH, PROFILE, USER, Field

#: The kinds of record that permissions are about, as the staff site names them.
KINDS = ("user", "group", "session", "email", "event", "factor")
ACTIONS = ("view", "add", "change", "delete")

#: Kinds that had another name before version 0016 of the database (decision 0041).
OLDER_KINDS = {"email": "message"}

group_permissions = sa.Table(
    "group_permissions",
    Model.metadata,
    sa.Column("group_id", RowId, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("permission_id", RowId, sa.ForeignKey("permissions.id", ondelete="CASCADE"), primary_key=True),
)
user_groups = sa.Table(
    "user_groups",
    Model.metadata,
    sa.Column("user_id", RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("group_id", RowId, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True),
)
user_permissions = sa.Table(
    "user_permissions",
    Model.metadata,
    sa.Column("user_id", RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column(
        "permission_id",
        RowId,
        sa.ForeignKey("permissions.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)


class Permission(Model):
    """Permission for one action on one kind of record, as in Django.

    Attributes:
        codename: such as `view_email`.
        older_codename: the same for versions before 0016 of the database, such as `view_message`.
        name: in English.
    """

    __tablename__ = "permissions"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    older_codename: Mapped[str] = mapped_column("codename", sa.String(50), unique=True)
    codename: Mapped[str] = mapped_column("code", sa.String(50), unique=True, index=True, nullable=True)
    name: Mapped[str] = mapped_column(sa.String(100))

    def __str__(self) -> str:
        return self.name


@sa.event.listens_for(Permission.__table__, "after_create")
def _insert_permissions(table: sa.Table, connection: sa.Connection, **_options: Any) -> None:
    """Fill a table made by `db.create_all()`, as the first migration does."""
    pairs = [(action, kind) for kind in KINDS for action in ACTIONS]
    rows = [
        {
            "codename": f"{action}_{OLDER_KINDS.get(kind, kind)}",
            "code": f"{action}_{kind}",
            "name": f"Can {action} {kind}",
        }
        for action, kind in pairs
    ]
    connection.execute(table.insert(), rows)


class Group(Model):
    """A named set of permissions.

    Attributes:
        requires_second_step: whether its members can only sign in with a second step.
    """

    __tablename__ = "groups"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(150), unique=True)
    requires_second_step: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    permissions: Mapped[list[Permission]] = relationship(secondary=group_permissions, order_by=Permission.codename)

    def __str__(self) -> str:
        return self.name


def text(field: Field) -> sa.String:
    """The type of the column that holds a text field."""
    return sa.String(field.max_length)


class User(Model):
    """An account. Its id is never used twice.

    Attributes:
        email: as it was typed; mail goes here.
        email_key: its one normal form, by which it is unique and found.
        username_key, first_name_key, last_name_key: case-folded, for search and order.
        password_hash: None when no password signs this account in.
        session_version: sessions begun under another version are over; adding one ends them all.
        email_verified_at: when the present address was confirmed.
        pending_email: the address that becomes `email` once confirmed.
        language: of emails to the user, as BCP 47 names it; None while it is not known.
    """

    __tablename__ = "users"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
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
    date_joined: Mapped[datetime] = mapped_column(UTCDateTime)
    last_login: Mapped[datetime | None] = mapped_column(UTCDateTime)

    profile: Mapped["UserProfile | None"] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True, single_parent=True
    )
    groups: Mapped[list[Group]] = relationship(secondary=user_groups, order_by=Group.name, passive_deletes=True)
    permissions: Mapped[list[Permission]] = relationship(
        secondary=user_permissions, order_by=Permission.codename, passive_deletes=True
    )

    def __str__(self) -> str:
        return self.email


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

# PostgreSQL reads an index backwards with its nulls first; the list has them last in both directions.
sa.Index("ix_users_last_login_down", User.last_login.desc().nulls_last(), User.id.desc())


@compiles(sa.schema.CreateIndex, "sqlite")
def _without_nulls_last(element: sa.schema.CreateIndex, compiler: Any, **options: Any) -> str:
    """SQLite's indexes cannot have NULLS LAST, and do not need it: a null is its least value."""
    text: str = compiler.visit_create_index(element, **options)
    return text.replace(" NULLS LAST", "")


class UserProfile(Model):
    """The one profile of a user."""

    __tablename__ = "user_profiles"

    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    title: Mapped[str] = mapped_column(text(PROFILE["title"]))
    dob: Mapped[date] = mapped_column(sa.Date)
    address: Mapped[str] = mapped_column(text(PROFILE["address"]))
    country: Mapped[str] = mapped_column(text(PROFILE["country"]))
    city: Mapped[str] = mapped_column(text(PROFILE["city"]))
    zip: Mapped[str] = mapped_column(text(PROFILE["zip"]))

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
