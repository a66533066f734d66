"""Bulk actions that run in the background: their status, and which users were skipped and why."""

from typing import Any

from flask_babel import gettext as _

from userapi.bulk import jobs, queries
from userapi.bulk.rules import RULES
from userapi.core.db import db
from userapi.core.leased_jobs import ACTIVE
from userapi.core.problems import NotFound
from userapi.html.flash import flash

from . import audit_log, staff_auth
from .user_actions import ACTIONS
from .views import StaffView, staff_page

JOB = "/<row_id:job_id>/"

#: Jobs in the list. They are deleted after a month.
MAX_LISTED = 50

#: Skipped users that the page of a job names.
MAX_NAMED = 200

#: Seconds after which the page of an active job reloads.
RELOAD_INTERVAL = 3


class BulkView(StaffView):
    """Bulk actions, for staff who may view users."""

    kind = "user"

    def is_accessible(self) -> bool:
        """Whether the menu shows this: for staff who may start one."""
        return any(staff_auth.may(*rule.needs) for rule in RULES.values())

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List the newest jobs and their status."""
        found = queries.newest_jobs(MAX_LISTED)
        return self.render(
            "admin/bulk/list.html",
            jobs=found,
            actions=ACTIONS,
            names=audit_log.emails_of_users(job.actor_id for job in found),
            again=RELOAD_INTERVAL if any(job.state in ACTIVE for job in found) else 0,
        )

    @staff_page(JOB, needs="view")
    def show(self, job_id: int) -> str:
        """Show the status of a job and whom it skipped."""
        job = _find_job(job_id)
        is_active = job.state in ACTIVE
        return self.render(
            "admin/bulk/show.html",
            job=job,
            action=ACTIONS[job.action],
            names=audit_log.emails_of_users([job.actor_id]),
            reasons=queries.count_reasons(job_id),
            left_out=queries.left_out_accounts(job_id, MAX_NAMED),
            may_cancel=is_active and staff_auth.may(*RULES[job.action].needs),
            again=RELOAD_INTERVAL if is_active else 0,
        )

    @staff_page(f"{JOB}cancel/", needs="view", methods=("POST",))
    def cancel(self, job_id: int) -> Any:
        """Cancel a job; changes already made are kept."""
        staff_auth.require(*RULES[_find_job(job_id).action].needs)
        jobs.cancel_bulk_action(job_id)
        db.session.commit()
        flash(_("The action was cancelled. Changes already made are kept."))
        return self.redirect_to("show", job_id=job_id)


def _find_job(job_id: int) -> Any:
    job = queries.find_job(job_id)
    if job is None:
        raise NotFound(_("There is no bulk action with this ID."))
    return job
