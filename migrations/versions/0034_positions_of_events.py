"""Positions of events in the event feed.

The events that are there get theirs when the feed is first read. Writers of events wait while the indexes are built:
about two seconds for each million of events (measured on PostgreSQL 15).

Revision: 0034
Before it: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_events", sa.Column("position", sa.BigInteger))
    for name, column, condition, is_unique in (
        ("ix_audit_events_position", "position", "position IS NOT NULL", True),
        ("ix_audit_events_without_position", "id", "position IS NULL", False),
    ):
        where = sa.text(condition)
        op.create_index(name, "audit_events", [column], unique=is_unique, postgresql_where=where, sqlite_where=where)
    op.create_table(
        "event_feed",
        sa.Column("id", sa.Integer, autoincrement=False, primary_key=True),
        sa.Column("last_position", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("event_feed")
    op.drop_index("ix_audit_events_without_position", "audit_events")
    op.drop_index("ix_audit_events_position", "audit_events")
    op.drop_column("audit_events", "position")
