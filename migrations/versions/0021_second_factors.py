"""Second factors: authenticator apps, recovery codes and remembered devices.

Revision: 0021
Before it: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def moment(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def owner(table: str) -> list[sa.schema.SchemaItem]:
    name = f"fk_{table}_user_id_users"
    return [
        sa.Column("user_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(name), ondelete="CASCADE"),
    ]


def upgrade() -> None:
    op.create_table(
        "second_factors",
        *owner("second_factors"),
        sa.Column("handle", sa.LargeBinary(64), nullable=False),
        moment("active_since"),
        sa.Column("failures", sa.Integer(), nullable=False),
        moment("last_failed_at"),
        moment("failing_reported_at"),
        moment("codes_made_at"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
        sa.UniqueConstraint("handle", name=op.f("uq_second_factors_handle")),
    )
    op.create_table(
        "totp_devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        *owner("totp_devices"),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("digits", sa.Integer(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("algorithm", sa.String(10), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("set_up_in", sa.Uuid(), nullable=True),
        moment("created_at", nullable=False),
        moment("confirmed_at"),
        moment("last_used_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_totp_devices")),
    )
    op.create_index(op.f("ix_totp_devices_user_id"), "totp_devices", ["user_id"])
    op.create_table(
        "recovery_codes",
        *owner("recovery_codes"),
        sa.Column("digest", sa.String(64), nullable=False),
        moment("used_at"),
        sa.PrimaryKeyConstraint("user_id", "digest", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "remembered_devices",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        *owner("remembered_devices"),
        sa.Column("session_version", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(45), nullable=True),
        sa.Column("user_agent", sa.String(255), nullable=True),
        moment("created_at", nullable=False),
        moment("last_used_at", nullable=False),
        moment("expires_at", nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_remembered_devices")),
        sa.UniqueConstraint("id", name=op.f("uq_remembered_devices_id")),
    )
    for column in ("user_id", "expires_at"):
        op.create_index(op.f(f"ix_remembered_devices_{column}"), "remembered_devices", [column])


def downgrade() -> None:
    for table in ("remembered_devices", "recovery_codes", "totp_devices", "second_factors"):
        op.drop_table(table)
