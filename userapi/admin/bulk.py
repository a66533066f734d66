"""Bulk actions that a worker does: how each stands, whom it left out and why."""

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

#: How many jobs the list shows; there are none older than a month.
NEWEST = 50

#: How many of the accounts that were left out the page of a job names.
NAMED = 200

#: How often the page of a job that has not ended is loaded again, in seconds.
AGAIN = 3


class BulkView(StaffView):
    """The bulk actions, for those who may look at users."""

    kind = "user"

    def is_accessible(self) -> bool:
        """Whether the menu names it: for those who can start one."""
        return any(staff_auth.may(*rule.needs) for rule in RULES.values())

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """The newest jobs, and how each stands."""
        found = queries.newest_jobs(NEWEST)
        return self.render(
            "admin/bulk/list.html",
            jobs=found,
            actions=ACTIONS,
            names=audit_log.names_of(job.actor_id for job in found),
            again=AGAIN if any(job.state in ACTIVE for job in found) else 0,
        )

    @staff_page(JOB, needs="view")
    def show(self, job_id: int) -> str:
        """How a job stands, and whom it left out."""
        job = _existing(job_id)
        is_active = job.state in ACTIVE
        return self.render(
            "admin/bulk/show.html",
            job=job,
            action=ACTIONS[job.action],
            names=audit_log.names_of([job.actor_id]),
            reasons=queries.count_reasons(job_id),
            left_out=queries.left_out_accounts(job_id, NAMED),
            may_cancel=is_active and staff_auth.may(*RULES[job.action].needs),
            again=AGAIN if is_active else 0,
        )

    @staff_page(f"{JOB}cancel/", needs="view", methods=("POST",))
    def cancel(self, job_id: int) -> Any:
        """Cancel a job; those whom it has acted on stay as they are now."""
        staff_auth.require(*RULES[_existing(job_id).action].needs)
        jobs.cancel_bulk_action(job_id)
        db.session.commit()
        flash(_("The action was cancelled. Changes already made are kept."))
        return self.redirect_to("show", job_id=job_id)


def _existing(job_id: int) -> Any:
    job = queries.find_job(job_id)
    if job is None:
        raise NotFound(_("There is no bulk action with this ID."))
    return job
