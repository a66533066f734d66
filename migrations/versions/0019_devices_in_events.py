"""Which browser or program each event came from, for the activity page of its account.

Events of earlier versions have none: it was never stored.

Revision: 0019
Before it: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_events", sa.Column("user_agent", sa.String(255)))


def downgrade() -> None:
    op.drop_column("audit_events", "user_agent")
