"""Which way each event came in: by a page, the API, a command, an import or the service itself.

Events that are there already get "unknown": where an event without an actor came from was never stored. The default
stays, for a version of the service that does not know the column while hosts are updated one after the other.

Revision: 0011
Before it: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_events", sa.Column("origin", sa.String(10), nullable=False, server_default="unknown"))
    op.add_column("audit_events", sa.Column("os_user", sa.String(64)))


def downgrade() -> None:
    op.drop_column("audit_events", "os_user")
    op.drop_column("audit_events", "origin")
