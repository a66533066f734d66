"""Actions of staff on more accounts than one request can deal with.

Revision: 0010
Before it: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "bulk_jobs",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("actor_id", ROW_ID),
        sa.Column("language", sa.String(35)),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claimed_until", MOMENT),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("left_out", sa.Integer, nullable=False),
        sa.Column("error", sa.String(500)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bulk_jobs_state", "bulk_jobs", ["state"])
    op.create_index("ix_bulk_jobs_finished_at", "bulk_jobs", ["finished_at"])
    op.create_table(
        "bulk_targets",
        sa.Column("job_id", ROW_ID, sa.ForeignKey("bulk_jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("user_id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.String(30)),
    )


def downgrade() -> None:
    op.drop_table("bulk_targets")
    op.drop_table("bulk_jobs")
