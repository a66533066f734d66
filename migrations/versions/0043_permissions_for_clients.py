"""Permissions for client applications of the OpenID provider.

Revision: 0043
Before it: 0042
"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

permissions = sa.table("permissions", sa.column("codename"), sa.column("code"), sa.column("name"))
CODES = [f"{action}_client" for action in ("view", "add", "change", "delete")]


def upgrade() -> None:
    rows = [{"codename": code, "code": code, "name": f"Can {code.replace('_', ' ')}"} for code in CODES]
    op.bulk_insert(permissions, rows)


def downgrade() -> None:
    op.execute(permissions.delete().where(permissions.c.code.in_(CODES)))
