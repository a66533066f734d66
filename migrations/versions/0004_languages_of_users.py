"""The language of each user, for the emails to them.

Revision: 0004
Before it: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("language", sa.String(35), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "language")
