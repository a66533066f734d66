"""When accounts that their owners closed are deleted, legal holds, and the links that restore accounts.

Revision: 0037
Before it: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("users", sa.Column("closes_at", MOMENT, nullable=True))
    op.add_column("users", sa.Column("held_reason", sa.Text(), nullable=True))
    for name, column, condition in (
        ("ix_users_closes_at", "closes_at", "closes_at IS NOT NULL"),
        ("ix_users_held", "id", "held_reason IS NOT NULL"),
    ):
        where, columns = sa.text(condition), list(dict.fromkeys((column, "id")))
        op.create_index(name, "users", columns, postgresql_where=where, sqlite_where=where)
    op.create_table(
        "account_restores",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_account_restores_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_account_restores"),
        sa.UniqueConstraint("digest", name="uq_account_restores_digest"),
    )
    op.create_index("ix_account_restores_user_id", "account_restores", ["user_id"])


def downgrade() -> None:
    """Closed accounts stay inactive; staff can activate them."""
    op.drop_table("account_restores")
    op.drop_index("ix_users_held", "users")
    op.drop_index("ix_users_closes_at", "users")
    op.drop_column("users", "held_reason")
    op.drop_column("users", "closes_at")
