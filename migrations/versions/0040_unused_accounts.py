"""When accounts were last used and their owners warned, and how far the IP addresses of events are removed.

Revision: 0040
Before it: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "account_activity",
        sa.Column("user_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("last_active_at", MOMENT, nullable=True),
        sa.Column("warned_at", MOMENT, nullable=True),
        sa.Column("warned_days", sa.SmallInteger(), nullable=True),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_account_activity_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_account_activity"),
    )
    op.create_index("ix_account_activity_ends_at", "account_activity", ["ends_at"])
    op.create_table(
        "address_removal",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("removed_until", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_address_removal"),
    )


def downgrade() -> None:
    op.drop_table("address_removal")
    op.drop_table("account_activity")
