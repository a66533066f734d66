"""Room for the postal codes of every country; the setting PROFILE_ZIP_MAX_LENGTH says how much of it is used.

Revision: 0008
Before it: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SHORT, LONG = sa.String(5), sa.String(16)


def upgrade() -> None:
    with op.batch_alter_table("user_profiles") as table:
        table.alter_column("zip", existing_type=SHORT, type_=LONG, existing_nullable=False)


def downgrade() -> None:
    longer = op.get_bind().scalar(sa.text("SELECT count(*) FROM user_profiles WHERE length(zip) > 5"))
    if longer:
        raise RuntimeError(f"{longer} profiles have a postal code of more than 5 characters. Shorten these first.")
    with op.batch_alter_table("user_profiles") as table:
        table.alter_column("zip", existing_type=LONG, type_=SHORT, existing_nullable=False)
