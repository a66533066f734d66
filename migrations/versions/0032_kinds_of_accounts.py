"""Kinds of accounts: of people, and of programs.

Revision: 0032
Before it: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("kind", sa.String(10), nullable=False, server_default="person"))
    services = sa.text("kind = 'service'")
    op.create_index("ix_users_services", "users", ["id"], postgresql_where=services, sqlite_where=services)


def downgrade() -> None:
    """Service accounts become accounts without a password, which no one can sign in to."""
    op.drop_index("ix_users_services", "users")
    op.drop_column("users", "kind")
