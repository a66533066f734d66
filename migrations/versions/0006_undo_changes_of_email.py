"""The email that a link restores, for changes of email that can be undone.

Revision: 0006
Before it: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("one_time_tokens", sa.Column("previous_email", sa.String(254), nullable=True))
    op.create_index("ix_one_time_tokens_address_key", "one_time_tokens", ["address_key"])


def downgrade() -> None:
    op.execute("DELETE FROM one_time_tokens WHERE purpose = 'undo_email_change'")
    op.drop_index("ix_one_time_tokens_address_key", "one_time_tokens")
    op.drop_column("one_time_tokens", "previous_email")
