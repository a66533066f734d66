"""Invitations as rows of their own, and the terms that new users accept.

Revision: 0038
Before it: 0037
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BYTEWISE = sa.String(254).with_variant(sa.String(254, collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("users", sa.Column("terms_version", sa.String(50), nullable=True))
    op.add_column("users", sa.Column("terms_accepted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "invitations",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", BYTEWISE, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("by_staff", sa.Boolean(), nullable=False),
        sa.Column("by_operator", sa.Boolean(), nullable=False),
        sa.Column("inviter_id", ROW_ID, nullable=True),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("message", sa.String(1000), nullable=True),
        sa.Column("language", sa.String(35), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_id", ROW_ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["inviter_id"], ["users.id"], name="fk_invitations_inviter_id_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_invitations_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("digest", name="uq_invitations_digest"),
        sqlite_autoincrement=True,
    )
    for name in ("email_key", "inviter_id", "expires_at", "user_id"):
        op.create_index(f"ix_invitations_{name}", "invitations", [name])
    for name, columns, by_staff in (
        ("uq_invitations_email_key_of_staff", ["email_key"], "IS true"),
        ("uq_invitations_email_key_inviter_id", ["email_key", "inviter_id"], "IS false"),
    ):
        op.create_index(
            name,
            "invitations",
            columns,
            unique=True,
            postgresql_where=sa.text(f"by_staff {by_staff} AND accepted_at IS NULL AND revoked_at IS NULL"),
            sqlite_where=sa.text(
                f"by_staff {by_staff.replace('true', '1').replace('false', '0')} "
                "AND accepted_at IS NULL AND revoked_at IS NULL"
            ),
        )


def downgrade() -> None:
    op.drop_table("invitations")
    op.drop_column("users", "terms_accepted_at")
    op.drop_column("users", "terms_version")
