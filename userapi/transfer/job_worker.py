"""Running the imports that staff started, each by one worker at a time: see `core/leased_jobs.py`."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock, job_runner, leased_jobs
from userapi.core.context import Origin
from userapi.core.db import db
from userapi.core.leased_jobs import JobFailed, JobRun, State, printable

from . import import_pipeline, job_queries, jobs, readers
from .options import NOT_IN_EVENT, Counts, ImportOptions, IssueKind, OnBadProfile, OnConflict

#: Longer than a batch takes, even on a slow day; and longer than all take, where they stand or fall together.
LEASE = timedelta(minutes=1)
LEASE_OF_WHOLE = timedelta(minutes=10)

#: Of each kind of thing there is to say, so many are kept.
REPORTED = 200

#: So many names are kept of what means nothing here.
NAMED = 100


def configure(app: Flask) -> None:
    """Import while the application serves."""
    job_runner.register(app, run_next_job)


def is_anything_due() -> bool:
    """Whether `run_next_job` would find something to do."""
    now = clock.now()
    return job_queries.is_anything_due(now, now - jobs.FILE_KEPT, now - jobs.JOB_KEPT)


def run_next_job(*, stop: Callable[[], bool] = lambda: False) -> bool:
    """Run the import that has waited longest, and delete those that ended long ago.

    Args:
        stop: called after each batch; if it returns true, the next worker continues.

    Returns:
        Whether there was one.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is unavailable; committed batches stay, and the next worker continues.
    """
    if not is_anything_due():
        return False
    jobs.expire()
    job = leased_jobs.claim(job_queries.jobs, LEASE)
    db.session.commit()
    if job is None:
        return False
    ImportRun(job).run(stop)
    return True


class ImportRun(JobRun):
    """The work of one worker on one import."""

    jobs = job_queries.jobs
    origin = Origin.IMPORT

    def __init__(self, job: sa.Row[Any]) -> None:
        super().__init__(job)
        self.options = ImportOptions(OnConflict(job.on_conflict), job.dry_run, OnBadProfile(job.on_bad_profile))
        #: Whether nothing of it stands before all of it does.
        self.is_whole = self.options.on_conflict is OnConflict.FAIL and not job.dry_run
        #: Whether it begins anew where another would go on.
        self.begins_anew = self.is_whole or job.dry_run
        self.left_out: Counter[str] = Counter()
        self.report: list[list[str]] = [] if self.begins_anew else list(job.report)
        self.told: Counter[str] = Counter({} if self.begins_anew else job.told)

    def run_batches(self, stop: Callable[[], bool]) -> None:
        """Import the file a batch at a time."""
        counts = Counts() if self.begins_anew else _counts(self.job.counts)
        records = readers.open_bytes(self._content(), self.job.kind, self.left_out)
        if self.is_whole:
            self.renew(LEASE_OF_WHOLE)
            db.session.commit()
        with closing(import_pipeline.import_records(records, self.options, self.tell, counts)) as batches:
            for counts in batches:
                if self.options.dry_run:
                    db.session.rollback()
                got_on = self.begins_anew or self._columns(counts)["counts"] != self.job.counts
                if not self.is_whole:
                    self.renew(LEASE, **self._columns(counts))
                    db.session.commit()
                if got_on and stop():
                    db.session.rollback()
                    self.release()
                    return
                if not self.is_whole:
                    self.pause()
        self.finish(State.DONE, **self._columns(counts))

    def tell(self, kind: IssueKind, place: str, reason: str) -> None:
        """Take one thing to say of a record; the first of each kind are kept."""
        self.told[kind] += 1
        if self.told[kind] <= REPORTED:
            self.report.append([str(kind), place, printable(reason)])

    def _content(self) -> bytes:
        """What is to be imported.

        Raises:
            JobFailed: it is not there, or may not be imported any more.
        """
        if not job_queries.may_import(self.job.actor_id):
            raise JobFailed(_("The user who started this import is no longer a superuser."))
        content = job_queries.content(self.job.id)
        if content is None:
            raise JobFailed(_("The file no longer exists."))
        return content

    def _columns(self, counts: Counts) -> dict[str, Any]:
        """How it stands, as columns; whoever got on may fail as often again."""
        columns: dict[str, Any] = {
            "counts": {**vars(counts), "unknown_permissions": dict(counts.unknown_permissions.most_common(NAMED))},
            "left_out": dict(self.left_out.most_common(NAMED)),
            "report": self.report,
            "told": dict(self.told),
        }
        if not self.begins_anew and columns["counts"] != self.job.counts:
            columns["attempts"] = 0
        return columns

    def on_finish(self, state: State) -> None:
        """Record the end, and delete the file, unless an import is to follow the dry run."""
        if state is not State.DONE or not self.job.dry_run:
            job_queries.remove_file(self.job.id)
        numbers = {name: value for name, value in self.job.counts.items() if name not in NOT_IN_EVENT}
        facts = {"state": str(state), "dry_run": self.job.dry_run, **numbers}
        audit_log.record("import.finished", "import", self.job.id, {name: (None, fact) for name, fact in facts.items()})


def _counts(stored: dict[str, Any]) -> Counts:
    """How it stood after the last batch."""
    found = Counts(**stored)
    found.unknown_permissions = Counter(found.unknown_permissions)
    return found
