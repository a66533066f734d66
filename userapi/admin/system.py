"""The system page: findings, versions, settings and jobs of this installation, for superusers.

Only for them, because the findings contain host names and paths (decision 0033).
"""

import platform

import sqlalchemy as sa
from flask_babel import lazy_gettext

from userapi import VERSION
from userapi.bulk import queries as bulk_queries
from userapi.core import migrations
from userapi.core.db import db
from userapi.health import effective_settings, report
from userapi.health.findings import Level
from userapi.mail import queries as mail_queries
from userapi.transfer import job_queries

from . import audit_log, staff_auth, user_actions
from .views import SUPERUSER, StaffView, staff_page

#: Jobs of each type on the page.
MAX_JOBS = 5

LEVELS = {
    Level.OK: lazy_gettext("OK"),
    Level.WARNING: lazy_gettext("Warning"),
    Level.ERROR: lazy_gettext("Error"),
}


class SystemView(StaffView):
    """The installation."""

    def is_accessible(self) -> bool:
        """Whether the menu shows this: for superusers."""
        return staff_auth.is_superuser()

    @staff_page("/", needs=SUPERUSER)
    def show_list(self) -> str:
        """Show what `flask doctor` finds without slow checks, versions, settings and the newest jobs."""
        imports, bulk_jobs = job_queries.newest_jobs(MAX_JOBS), bulk_queries.newest_jobs(MAX_JOBS)
        queued, oldest = mail_queries.backlog()
        return self.render(
            "admin/system.html",
            findings=sorted(report.run(), key=lambda finding: list(LEVELS)[::-1].index(finding.level)),
            levels=LEVELS,
            versions=_list_versions(),
            revisions=migrations.get_database_revisions(),
            newest_revisions=migrations.get_newest_known_revisions(),
            settings=list(effective_settings.list_settings()),
            imports=imports,
            bulk_jobs=bulk_jobs,
            actions=user_actions.ACTIONS,
            names=audit_log.emails_of_users(job.actor_id for job in (*imports, *bulk_jobs)),
            queued_emails=queued,
            oldest_queued=oldest,
        )


def _list_versions() -> dict[str, str]:
    dialect = db.engine.dialect
    database = "SQLite" if dialect.name == "sqlite" else "PostgreSQL"
    with db.engine.connect():  # the first connection of an engine reads the version
        version = ".".join(str(part) for part in dialect.server_version_info or ())
    return {
        "userapi": VERSION,
        "Python": platform.python_version(),
        database: version,
        "SQLAlchemy": sa.__version__,
    }
