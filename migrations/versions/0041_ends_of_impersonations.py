"""When the browser of an impersonation got the session of the member of staff back, and an index for who acted.

Writers of events wait while the index is built: it has no entry for most events, but each is read once.

Revision: 0041
Before it: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

INDEX = "ix_audit_events_impersonator_id"


def upgrade() -> None:
    op.add_column("login_sessions", sa.Column("returned_at", sa.DateTime(timezone=True)))
    where = sa.text("impersonator_id IS NOT NULL")
    op.create_index(INDEX, "audit_events", ["impersonator_id"], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    op.drop_index(INDEX, "audit_events")
    op.drop_column("login_sessions", "returned_at")
