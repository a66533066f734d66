"""The index of the countries of profiles has the users too, for the filter of the user list.

Revision: 0025
Before it: 0024
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_user_profiles_country_user_id", "user_profiles", ["country", "user_id"])
    op.drop_index("ix_user_profiles_country", "user_profiles")


def downgrade() -> None:
    op.create_index("ix_user_profiles_country", "user_profiles", ["country"])
    op.drop_index("ix_user_profiles_country_user_id", "user_profiles")
