"""The account that each stored email is about, with which it is deleted.

Emails that are stored already are assigned where that is certain: those that confirm a new email to the one account
that waits for it, others to the account that has the email.

Revision: 0013
Before it: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

OF_PENDING = """
    UPDATE messages SET user_id = (
        SELECT max(users.id) FROM users WHERE users.pending_email = messages.recipient HAVING count(*) = 1
    ) WHERE kind = 'confirm_new_email'
"""
OF_PRESENT = """
    UPDATE messages SET user_id = (SELECT users.id FROM users WHERE users.email = messages.recipient)
    WHERE kind <> 'confirm_new_email'
"""


def upgrade() -> None:
    op.add_column("messages", sa.Column("user_id", ROW_ID))
    op.create_index("ix_messages_user_id", "messages", ["user_id"])
    op.execute(OF_PENDING)
    op.execute(OF_PRESENT)


def downgrade() -> None:
    op.drop_index("ix_messages_user_id", "messages")
    op.drop_column("messages", "user_id")
