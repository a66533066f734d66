"""Indexes for the lists that staff look at: of staff, of superusers, by the last sign-in downwards.

Revision: 0003
Before it: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FLAGS = ("is_staff", "is_superuser")


def upgrade() -> None:
    for flag in FLAGS:
        few = sa.column(flag, sa.Boolean).is_(True)
        op.create_index(f"ix_users_{flag}", "users", ["date_joined", "id"], postgresql_where=few, sqlite_where=few)
    # For SQLite, which has no NULLS LAST in an index, a null is the least value: it comes last downwards anyway.
    nulls = " NULLS LAST" if op.get_bind().dialect.name == "postgresql" else ""
    op.create_index("ix_users_last_login_down", "users", [sa.text(f"last_login DESC{nulls}"), sa.text("id DESC")])


def downgrade() -> None:
    op.drop_index("ix_users_last_login_down", "users")
    for flag in FLAGS:
        op.drop_index(f"ix_users_{flag}", "users")
