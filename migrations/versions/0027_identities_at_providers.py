"""Identities at providers, visits to providers, and which identity a session began with.

Revision: 0027
Before it: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("email_trusted", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_identities_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_identities"),
        sa.UniqueConstraint("issuer", "subject", name="uq_identities_issuer"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
    op.create_table(
        "visits",
        sa.Column("state_digest", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("browser_digest", sa.String(64), nullable=True),
        sa.Column("next", sa.String(1000), nullable=True),
        sa.Column("return_to", sa.String(1000), nullable=True),
        sa.Column("client_challenge", sa.String(64), nullable=True),
        sa.Column("client_state", sa.String(500), nullable=True),
        sa.Column("user_id", ROW_ID, nullable=True),
        sa.Column("session_version", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issuer", sa.String(255), nullable=True),
        sa.Column("subject", sa.String(255), nullable=True),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("email_trusted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("first_name", sa.String(150), nullable=True),
        sa.Column("last_name", sa.String(150), nullable=True),
        sa.Column("outcome", sa.String(20), nullable=True),
        sa.Column("ticket_digest", sa.String(64), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_visits_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state_digest", name="pk_visits"),
        sa.UniqueConstraint("ticket_digest", name="uq_visits_ticket_digest"),
    )
    op.create_index("ix_visits_user_id", "visits", ["user_id"])
    op.create_index("ix_visits_expires_at", "visits", ["expires_at"])
    with op.batch_alter_table("login_sessions") as table:
        table.add_column(sa.Column("identity_id", ROW_ID, nullable=True))
        table.create_foreign_key(
            "fk_login_sessions_identity_id_identities", "identities", ["identity_id"], ["id"], ondelete="SET NULL"
        )
    set_only = sa.text("identity_id IS NOT NULL")
    op.create_index(
        "ix_login_sessions_identity_id",
        "login_sessions",
        ["identity_id"],
        postgresql_where=set_only,
        sqlite_where=set_only,
    )
    with op.batch_alter_table("pending_sign_ins") as table:
        table.add_column(sa.Column("identity_id", ROW_ID, nullable=True))
        table.create_foreign_key(
            "fk_pending_sign_ins_identity_id_identities", "identities", ["identity_id"], ["id"], ondelete="CASCADE"
        )
    op.create_index("ix_pending_sign_ins_identity_id", "pending_sign_ins", ["identity_id"])


def downgrade() -> None:
    op.drop_index("ix_pending_sign_ins_identity_id", "pending_sign_ins")
    with op.batch_alter_table("pending_sign_ins") as table:
        table.drop_constraint("fk_pending_sign_ins_identity_id_identities", type_="foreignkey")
        table.drop_column("identity_id")
    op.drop_index("ix_login_sessions_identity_id", "login_sessions")
    with op.batch_alter_table("login_sessions") as table:
        table.drop_constraint("fk_login_sessions_identity_id_identities", type_="foreignkey")
        table.drop_column("identity_id")
    op.drop_table("visits")
    op.drop_table("identities")
