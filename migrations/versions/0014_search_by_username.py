"""The form of usernames in which staff search them.

Revision: 0014
Before it: 0013
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

KEY = sa.String(450).with_variant(sa.String(450, collation="C"), "postgresql")

#: Rows written between two looks for more.
BATCH = 1000

NEXT = """
    SELECT id, username FROM users WHERE username IS NOT NULL AND id > :after ORDER BY id LIMIT :batch
"""


def upgrade() -> None:
    op.add_column("users", sa.Column("username_key", KEY, nullable=True))
    connection, after = op.get_bind(), 0
    while rows := connection.execute(sa.text(NEXT), {"after": after, "batch": BATCH}).all():
        connection.execute(
            sa.text("UPDATE users SET username_key = :key WHERE id = :id"),
            [{"id": row.id, "key": folded(row.username)} for row in rows],
        )
        after = rows[-1].id
    op.create_index("ix_users_username_key", "users", ["username_key"])


def downgrade() -> None:
    op.drop_index("ix_users_username_key", "users")
    op.drop_column("users", "username_key")


def folded(name: str) -> str:
    """As `userapi.users.accounts.fold` does it today."""
    return unicodedata.normalize("NFKC", name).casefold()[:450]
