"""The built-in group "Staff", which holds view_user, add_user, change_user and delete_user.

Until now every member of staff could list, change and delete users over the API, while the staff site asked for these
permissions. From now on both ask for them. So that present staff can still do what they could, the migration puts all
of them into the group, and the log says how many they are. To narrow that, take members out of the group, or
permissions from it. A downgrade leaves the group and its members as they are.

Revision: 0012
Before it: 0011
"""

import logging

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

log = logging.getLogger("alembic.runtime.migration")

MAKE = "INSERT INTO groups (name) SELECT 'Staff' WHERE NOT EXISTS (SELECT 1 FROM groups WHERE name = 'Staff')"
GIVE = """
    INSERT INTO group_permissions (group_id, permission_id)
    SELECT groups.id, permissions.id FROM groups, permissions
    WHERE groups.name = 'Staff' AND permissions.codename IN ('view_user', 'add_user', 'change_user', 'delete_user')
    AND NOT EXISTS (SELECT 1 FROM group_permissions WHERE group_id = groups.id AND permission_id = permissions.id)
"""
JOIN = """
    INSERT INTO user_groups (user_id, group_id)
    SELECT users.id, groups.id FROM users, groups
    WHERE users.is_staff AND groups.name = 'Staff'
    AND NOT EXISTS (SELECT 1 FROM user_groups WHERE user_id = users.id AND group_id = groups.id)
"""


def upgrade() -> None:
    connection = op.get_bind()
    connection.execute(sa.text(MAKE))
    connection.execute(sa.text(GIVE))
    joined = connection.execute(sa.text(JOIN)).rowcount
    log.info('Staff who joined the group "Staff", which lets them view, add, change and delete users: %s', joined)


def downgrade() -> None:
    pass
