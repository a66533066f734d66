"""What an import that staff start does with a profile that has a wrong field.

Revision: 0009
Before it: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("import_jobs") as table:
        table.add_column(sa.Column("on_bad_profile", sa.String(20), nullable=False, server_default="leave-out-field"))


def downgrade() -> None:
    with op.batch_alter_table("import_jobs") as table:
        table.drop_column("on_bad_profile")
