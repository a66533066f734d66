"""The IP addresses that an API key was used from, so that its owner hears of new ones.

Revision: 0036
Before it: 0035
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("known_addresses", sa.String(1000), nullable=True))


def downgrade() -> None:
    op.drop_column("api_keys", "known_addresses")
