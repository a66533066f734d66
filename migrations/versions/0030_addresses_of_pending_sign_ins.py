"""The address that a sign-in with a second step has proved.

Revision: 0030
Before it: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pending_sign_ins", sa.Column("proved_email_key", sa.String(254), nullable=True))


def downgrade() -> None:
    op.drop_column("pending_sign_ins", "proved_email_key")
