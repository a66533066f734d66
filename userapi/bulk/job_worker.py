"""Running the bulk actions that staff started, each by one worker at a time: see `core/leased_jobs.py`."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from flask import Flask
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import job_runner, leased_jobs
from userapi.core.db import db
from userapi.core.leased_jobs import JobFailed, JobRun, State
from userapi.core.problems import Problem
from userapi.users import permissions
from userapi.users.permissions import Actor

from . import queries, rules
from .models import MAX_REASON_LENGTH

#: The maximum size of a batch, in accounts and in seconds. Until it ends, other requests wait for these accounts, on
#: SQLite for the whole database.
BATCH_SIZE = 100
MAX_BATCH_SECONDS = 0.25

#: The reason for leaving out an account that the action no longer applies to; other reasons are problem codes.
NOT_APPLICABLE = "unconcerned"


def configure(app: Flask) -> None:
    """Run bulk actions while the application serves."""
    job_runner.register(app, run_next_job)


def run_next_job(*, stop: Callable[[], bool] = lambda: False) -> bool:
    """Run the bulk action that has waited longest, and delete expired ones: see `leased_jobs.run_next`."""
    if not leased_jobs.is_anything_due(queries.jobs):
        return False
    leased_jobs.delete_expired(queries.jobs)
    return leased_jobs.run_next(BulkRun, stop)


class BulkRun(JobRun):
    """The work of one worker on one bulk action."""

    jobs = queries.jobs

    def run_batches(self, stop: Callable[[], bool]) -> None:
        """Act on one batch of accounts after the other, each in a transaction of its own."""
        while user_ids := queries.next_targets(self.job.id, BATCH_SIZE):
            self._act_on(user_ids, self._actor())
            db.session.commit()
            db.session.expunge_all()
            if stop():
                self.release()
                return
            self.pause()
        self.finish(State.DONE)

    def on_finish(self, state: State) -> None:
        """Delete the rest of the list, and record the end."""
        queries.delete_remaining_targets(self.job.id)
        facts = {"action": self.job.action, "state": str(state), "done": self.job.done, "left_out": self.job.left_out}
        audit_log.record("bulk.finished", "bulk", self.job.id, {name: (None, fact) for name, fact in facts.items()})

    def _act_on(self, user_ids: Sequence[int], actor: Actor) -> None:
        """Act on a batch, and write the progress.

        The row of the job is written before those of its accounts, as in `jobs.cancel`, so that neither blocks the
        other.
        """
        outcomes: dict[str | None, list[int]] = defaultdict(list)
        end = time.monotonic() + MAX_BATCH_SECONDS
        for user_id in user_ids:
            outcomes[self._act_on_one(user_id, actor)].append(user_id)
            if time.monotonic() > end:
                break
        done = outcomes.pop(None, [])
        left_out = sum(map(len, outcomes.values()))
        self.renew(done=self.job.done + len(done), left_out=self.job.left_out + left_out, attempts=0)
        queries.delete_targets(self.job.id, done)
        for reason, ids in outcomes.items():
            queries.set_reason(self.job.id, str(reason), ids)

    def _act_on_one(self, user_id: int, actor: Actor) -> str | None:
        """Act on an account; returns None, or the reason why it was left out."""
        try:
            with db.session.begin_nested():
                return None if rules.act_on_account(self.job.action, user_id, by=actor) else NOT_APPLICABLE
        except Problem as problem:
            return problem.code[:MAX_REASON_LENGTH]  # an extension may have chosen it

    def _actor(self) -> Actor:
        """The staff member who started the job, with their current permissions.

        Raises:
            JobFailed: they no longer have the permission.
        """
        actor: Actor | None = queries.find_actor(self.job.actor_id)
        if actor is None or "_".join(rules.RULES[self.job.action].needs) not in permissions.get_permissions(actor):
            raise JobFailed(_("The user who started this action no longer has the permission for it."))
        return actor
