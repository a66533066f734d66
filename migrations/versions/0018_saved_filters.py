"""Filters of the user list that staff members have saved.

Revision: 0018
Before it: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "saved_filters",
        sa.Column("id", row_id, primary_key=True),
        sa.Column(
            "user_id",
            row_id,
            sa.ForeignKey("users.id", name="fk_saved_filters_user_id_users", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.UniqueConstraint("user_id", "name", name="uq_saved_filters_user_id"),
    )


def downgrade() -> None:
    op.drop_table("saved_filters")
