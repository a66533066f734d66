"""Permissions for second factors: only staff with `delete_factor` may reset those of a user.

Revision: 0026
Before it: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

permissions = sa.table("permissions", sa.column("codename"), sa.column("code"), sa.column("name"))
CODES = [f"{action}_factor" for action in ("view", "add", "change", "delete")]


def upgrade() -> None:
    rows = [{"codename": code, "code": code, "name": f"Can {code.replace('_', ' ')}"} for code in CODES]
    op.bulk_insert(permissions, rows)


def downgrade() -> None:
    op.execute(permissions.delete().where(permissions.c.code.in_(CODES)))
