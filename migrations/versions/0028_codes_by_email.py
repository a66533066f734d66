"""Codes by email, and emails that expire.

Revision: 0028
Before it: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sign_in_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("user_id", ROW_ID, nullable=True),
        sa.Column("address_key", sa.String(254), nullable=False),
        sa.Column("session_version", sa.Integer(), nullable=True),
        sa.Column("ticket_digest", sa.String(64), nullable=True),
        sa.Column("code_mac", sa.String(64), nullable=False),
        sa.Column("link_digest", sa.String(64), nullable=True),
        sa.Column("client_challenge", sa.String(43), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sign_in_codes_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_codes"),
        sa.UniqueConstraint("link_digest", name="uq_sign_in_codes_link_digest"),
    )
    op.create_index("ix_sign_in_codes_user_id", "sign_in_codes", ["user_id"])
    op.create_index("ix_sign_in_codes_expires_at", "sign_in_codes", ["expires_at"])
    op.add_column("messages", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("messages", "expires_at")
    op.drop_table("sign_in_codes")
