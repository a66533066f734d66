"""Accounts with profiles, groups and permissions, sessions, and the audit log.

Revision: 0001
Before it: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
KINDS = ("user", "group", "session", "message", "event")
ACTIONS = ("view", "add", "change", "delete")


def key_text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def refers_to(table: str, column: str, **options: object) -> sa.Column[int]:
    return sa.Column(column, ROW_ID, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False, **options)


def upgrade() -> None:
    create_users()
    create_groups_and_permissions()
    create_sessions()
    create_audit_events()


def create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", key_text(254), nullable=False),
        sa.Column("username", sa.String(50)),
        sa.Column("first_name", sa.String(150), nullable=False),
        sa.Column("last_name", sa.String(150), nullable=False),
        sa.Column("first_name_key", key_text(450), nullable=False),
        sa.Column("last_name_key", key_text(450), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("session_version", sa.Integer, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("is_staff", sa.Boolean, nullable=False),
        sa.Column("is_superuser", sa.Boolean, nullable=False),
        sa.Column("email_verified_at", MOMENT),
        sa.Column("pending_email", sa.String(254)),
        sa.Column("date_joined", MOMENT, nullable=False),
        sa.Column("last_login", MOMENT),
        sa.UniqueConstraint("email_key"),
        sqlite_autoincrement=True,
    )
    for column in ("date_joined", "last_login", "first_name_key", "last_name_key"):
        op.create_index(f"ix_users_{column}", "users", [column, "id"])
    op.create_table(
        "user_profiles",
        refers_to("users", "user_id", primary_key=True, autoincrement=False),
        sa.Column("title", sa.String(5), nullable=False),
        sa.Column("dob", sa.Date, nullable=False),
        sa.Column("address", sa.String(255), nullable=False),
        sa.Column("country", sa.String(50), nullable=False),
        sa.Column("city", sa.String(50), nullable=False),
        sa.Column("zip", sa.String(5), nullable=False),
    )
    op.create_index("ix_user_profiles_country", "user_profiles", ["country"])


def create_groups_and_permissions() -> None:
    op.create_table(
        "groups",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("name", sa.String(150), nullable=False),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    permissions = op.create_table(
        "permissions",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("codename", sa.String(50), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.UniqueConstraint("codename"),
    )
    rows = [{"codename": f"{action}_{kind}", "name": f"Can {action} {kind}"} for kind in KINDS for action in ACTIONS]
    op.bulk_insert(permissions, rows)
    for table, first, second in (
        ("group_permissions", "group", "permission"),
        ("user_groups", "user", "group"),
        ("user_permissions", "user", "permission"),
    ):
        op.create_table(
            table,
            refers_to(f"{first}s", f"{first}_id", primary_key=True),
            refers_to(f"{second}s", f"{second}_id", primary_key=True),
        )
    op.create_index("ix_user_groups_group_id", "user_groups", ["group_id"])
    op.create_index("ix_user_permissions_permission_id", "user_permissions", ["permission_id"])


def create_sessions() -> None:
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        refers_to("users", "user_id"),
        sa.Column("session_version", sa.Integer, nullable=False),
        sa.Column("refresh_jti", sa.Uuid, nullable=False),
        sa.Column("previous_jti", sa.Uuid),
        sa.Column("refreshed_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("address", sa.String(45)),
        sa.Column("user_agent", sa.String(255)),
    )
    op.create_index("ix_login_sessions_user_id", "login_sessions", ["user_id"])
    op.create_index("ix_login_sessions_expires_at", "login_sessions", ["expires_at"])


def create_audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("action", sa.String(50), nullable=False),
        sa.Column("actor_id", ROW_ID),
        sa.Column("target_kind", sa.String(30)),
        sa.Column("target_id", sa.String(36)),
        sa.Column("address", sa.String(45)),
        sa.Column("request_id", sa.String(128)),
        sa.Column("changes", sa.JSON),
        sqlite_autoincrement=True,
    )
    for column in ("occurred_at", "action", "actor_id"):
        op.create_index(f"ix_audit_events_{column}", "audit_events", [column])
    op.create_index("ix_audit_events_target", "audit_events", ["target_kind", "target_id", "id"])


def downgrade() -> None:
    for table in (
        "audit_events", "login_sessions", "user_permissions", "user_groups",
        "group_permissions", "permissions", "groups", "user_profiles", "users",
    ):  # fmt: skip
        op.drop_table(table)
