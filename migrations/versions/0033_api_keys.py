"""API keys, and which key an event or a session is of.

Revision: 0033
Before it: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("last4", sa.String(4), nullable=False),
        sa.Column("scopes", sa.String(255), nullable=False),
        sa.Column("addresses", sa.String(1000), nullable=True),
        sa.Column("amr", sa.String(60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_address", sa.String(45), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.Column("warned_days", sa.SmallInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_keys_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_index("ix_api_keys_expires_at", "api_keys", ["expires_at"])
    op.add_column("audit_events", sa.Column("key_id", sa.String(36), nullable=True))
    op.add_column("login_sessions", sa.Column("key_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_login_sessions_key_id",
        "login_sessions",
        ["key_id"],
        postgresql_where=sa.text("key_id IS NOT NULL"),
        sqlite_where=sa.text("key_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM login_sessions WHERE key_id IS NOT NULL")
    op.drop_index("ix_login_sessions_key_id", "login_sessions")
    op.drop_column("login_sessions", "key_id")
    op.drop_column("audit_events", "key_id")
    op.drop_table("api_keys")
