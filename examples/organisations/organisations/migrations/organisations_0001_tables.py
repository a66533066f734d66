"""Organisations, memberships, invitations.

Revision: organisations_0001
Before it: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "organisations_0001"
down_revision = None
branch_labels = ("organisations",)
depends_on = "0001"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "organisations_organisations",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "organisations_memberships",
        sa.Column("organisation_id", ROW_ID, nullable=False),
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations_organisations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("organisation_id", "user_id"),
    )
    op.create_index("ix_organisations_memberships_user_id", "organisations_memberships", ["user_id"])
    op.create_table(
        "organisations_invitations",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("organisation_id", ROW_ID, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("invited_by", ROW_ID, nullable=True),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations_organisations.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation_id", "email_key"),
        sa.UniqueConstraint("digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_organisations_invitations_email_key", "organisations_invitations", ["email_key"])
    op.create_index("ix_organisations_invitations_invited_by", "organisations_invitations", ["invited_by"])


def downgrade() -> None:
    op.drop_table("organisations_invitations")
    op.drop_table("organisations_memberships")
    op.drop_table("organisations_organisations")
