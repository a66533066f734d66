"""The names of permissions, where emails are called emails: `view_email` for `view_message`, and so on.

They are in a new column, because hosts of the earlier version still read the old one during an upgrade. A later version
drops the column `codename`.

Revision: 0016
Before it: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("permissions", sa.Column("code", sa.String(50), nullable=True))
    op.execute("UPDATE permissions SET code = replace(codename, '_message', '_email')")
    op.create_index("ix_permissions_code", "permissions", ["code"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_permissions_code", "permissions")
    op.drop_column("permissions", "code")
