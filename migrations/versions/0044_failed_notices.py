"""An index on the notices that have failed: each check of health counts them, among all that were sent in a week.

Revision: 0044
Before it: 0043
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

INDEX = "ix_notices_failed_at"


def upgrade() -> None:
    where = sa.text("failed_at IS NOT NULL")
    op.create_index(INDEX, "notices", ["failed_at"], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    op.drop_index(INDEX, "notices")
