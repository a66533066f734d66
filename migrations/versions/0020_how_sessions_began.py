"""How each session began, which proofs of identity it has and how old they are.

All earlier sessions began with a password.

Revision: 0020
Before it: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("login_sessions") as table:
        table.add_column(sa.Column("way", sa.String(60), nullable=False, server_default="password"))
        table.add_column(sa.Column("amr", sa.String(60), nullable=False, server_default="pwd"))
        table.add_column(
            sa.Column(
                "proved_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.current_timestamp()
            )
        )
        table.add_column(sa.Column("for_set_up", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE login_sessions SET proved_at = created_at")


def downgrade() -> None:
    with op.batch_alter_table("login_sessions") as table:
        for column in ("for_set_up", "proved_at", "amr", "way"):
            table.drop_column(column)
