"""Rows about groups and permissions, which the rights of staff come from."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from userapi.core.db import Model, RowId

#: The kinds of record that permissions are about, as the staff site names them.
KINDS = ("user", "group", "session", "email", "event", "factor", "client")
ACTIONS = ("view", "add", "change", "delete")

#: Permissions besides those, by codename.
OTHER_PERMISSIONS = {"impersonate_user": "Can impersonate user"}

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
    rows += [{"codename": name, "code": name, "name": text} for name, text in OTHER_PERMISSIONS.items()]
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
