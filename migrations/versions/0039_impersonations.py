"""Sessions in which a member of staff acts as a user, events of them, and the permission to begin one.

Revision: 0039
Before it: 0038
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_RUNNING = "impersonator_id IS NOT NULL AND ended_at IS NULL"


def upgrade() -> None:
    op.add_column("login_sessions", sa.Column("impersonator_id", ROW_ID, nullable=True))
    op.add_column("login_sessions", sa.Column("impersonator_session_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_login_sessions_impersonator_id",
        "login_sessions",
        ["impersonator_id"],
        unique=True,
        postgresql_where=sa.text(IS_RUNNING),
        sqlite_where=sa.text(IS_RUNNING),
    )
    op.add_column("audit_events", sa.Column("impersonator_id", ROW_ID, nullable=True))
    op.execute(
        "INSERT INTO permissions (codename, code, name) "
        "VALUES ('impersonate_user', 'impersonate_user', 'Can impersonate user')"
    )


def downgrade() -> None:
    of_it = "permission_id IN (SELECT id FROM permissions WHERE code = 'impersonate_user')"
    op.execute("DELETE FROM group_permissions WHERE " + of_it)  # noqa: S608
    op.execute("DELETE FROM user_permissions WHERE " + of_it)  # noqa: S608
    op.execute("DELETE FROM permissions WHERE code = 'impersonate_user'")
    op.drop_column("audit_events", "impersonator_id")
    op.execute("DELETE FROM login_sessions WHERE impersonator_id IS NOT NULL")
    op.drop_index("ix_login_sessions_impersonator_id", "login_sessions")
    op.drop_column("login_sessions", "impersonator_session_id")
    op.drop_column("login_sessions", "impersonator_id")
