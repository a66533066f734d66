"""What could name a deleted user: the words of searches in events and bulk actions, and emails in reports of imports.

They are no longer stored. Here those of earlier versions are replaced by "…"; there is no way back to them.

Revision: 0015
Before it: 0014
"""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WITHHELD = "…"
EMAIL = re.compile(r"[^\s@\"']+@[^\s@\"',;:]+\w")

events = sa.table("audit_events", sa.column("id"), sa.column("action"), sa.column("changes", sa.JSON))
imports = sa.table("import_jobs", sa.column("id"), sa.column("report", sa.JSON), sa.column("error", sa.Text))
actions = sa.table("bulk_jobs", sa.column("id"), sa.column("query", sa.Text))
forms = sa.table("form_submissions", sa.column("key"), sa.column("outcome", sa.JSON))


def upgrade() -> None:
    connection = op.get_bind()
    searched = events.c.action.in_(("users.exported", "bulk.started"))
    for row in connection.execute(sa.select(events).where(searched)).all():
        words = {name: [WITHHELD, WITHHELD] for name in row.changes or () if name.endswith("search")}
        if words:
            _write(events, row.id, changes={**row.changes, **words})
    for row in connection.execute(sa.select(imports)).all():
        report = json.loads(EMAIL.sub(WITHHELD, json.dumps(row.report, ensure_ascii=False)))
        _write(imports, row.id, report=report, error=row.error and EMAIL.sub(WITHHELD, row.error))
    for row in connection.execute(sa.select(actions)).all():
        pairs = [(name, WITHHELD if name == "search" else value) for name, value in parse_qsl(row.query)]
        _write(actions, row.id, query=urlencode(pairs))
    for row in connection.execute(sa.select(forms)).all():
        if row.outcome and row.outcome.get("email"):
            connection.execute(sa.delete(forms).where(forms.c.key == row.key))


def _write(table: sa.TableClause, row_id: int, **values: Any) -> None:
    op.get_bind().execute(sa.update(table).where(table.c.id == row_id).values(values))


def downgrade() -> None:
    pass
