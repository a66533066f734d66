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
from userapi.core import job_runner, leased_jobs
from userapi.core.context import Origin
from userapi.core.db import db
from userapi.core.leased_jobs import JobFailed, JobRun, State, printable

from . import import_pipeline, job_queries, jobs, readers, uploads
from .options import NOT_IN_EVENT, Counts, ImportOptions, IssueKind, OnBadProfile, OnConflict

#: The lease of an all-or-nothing import, which renews it only at the end.
ALL_OR_NOTHING_LEASE = timedelta(minutes=10)

#: The number of issues of each kind that are stored.
MAX_REPORTED = 200

#: The number of names of ignored entries, and of unknown permissions, that are stored.
MAX_NAMES = 100


def configure(app: Flask) -> None:
    """Run imports while the application serves."""
    job_runner.register(app, run_next_job)


def run_next_job(*, stop: Callable[[], bool] = lambda: False) -> bool:
    """Run the import that has waited longest, and delete expired ones: see `leased_jobs.run_next`."""
    if not jobs.is_anything_due():
        return False
    jobs.delete_expired()
    return leased_jobs.run_next(ImportRun, stop)


class ImportRun(JobRun):
    """The work of one worker on one import."""

    jobs = job_queries.jobs
    origin = Origin.IMPORT

    def __init__(self, job: sa.Row[Any]) -> None:
        super().__init__(job)
        self.options = ImportOptions(OnConflict(job.on_conflict), job.dry_run, OnBadProfile(job.on_bad_profile))
        self.is_all_or_nothing = self.options.stops_at_first_issue
        #: Whether it starts again after an interruption, because its batches are not committed.
        self.starts_again = self.is_all_or_nothing or job.dry_run
        self.left_out: Counter[str] = Counter()
        self.issues: list[list[str]] = [] if self.starts_again else list(job.report)
        self.issue_counts: Counter[str] = Counter({} if self.starts_again else job.told)

    def run_batches(self, stop: Callable[[], bool]) -> None:
        """Import the file a batch at a time."""
        counts = Counts() if self.starts_again else _load_counts(self.job.counts)
        records = readers.read_bytes(self._read_file(), self.job.kind, self.left_out)
        if self.is_all_or_nothing:
            self.renew(ALL_OR_NOTHING_LEASE)
            db.session.commit()
        with closing(import_pipeline.import_records(records, self.options, self.report_issue, counts)) as batches:
            for counts in batches:
                if self.options.dry_run:
                    db.session.rollback()
                has_progress = self.starts_again or self._progress(counts)["counts"] != self.job.counts
                if not self.is_all_or_nothing:
                    self.renew(**self._progress(counts))
                    db.session.commit()
                if has_progress and stop():
                    db.session.rollback()
                    self.release()
                    return
                if not self.is_all_or_nothing:
                    self.pause()
        self.finish(State.DONE, **self._progress(counts))

    def report_issue(self, kind: IssueKind, place: str, reason: str) -> None:
        """Count an issue, and store the first ones of each kind: a `Reporter`."""
        self.issue_counts[kind] += 1
        if self.issue_counts[kind] <= MAX_REPORTED:
            self.issues.append([str(kind), place, printable(reason)])

    def on_finish(self, state: State) -> None:
        """Record the end, and delete the file; after a dry run it is kept for the import."""
        if state is not State.DONE or not self.job.dry_run:
            job_queries.delete_file(self.job.id)
        counts = {name: value for name, value in self.job.counts.items() if name not in NOT_IN_EVENT}
        facts = {"state": str(state), "dry_run": self.job.dry_run, **counts}
        audit_log.record("import.finished", "import", self.job.id, {name: (None, fact) for name, fact in facts.items()})

    def _read_file(self) -> bytes:
        """The content of the file.

        Raises:
            JobFailed: it was deleted, or the user who started the import is no longer a superuser.
        """
        if not job_queries.is_superuser(self.job.actor_id):
            raise JobFailed(_("The user who started this import is no longer a superuser."))
        content = job_queries.read_file(self.job.id)
        if content is None:
            raise JobFailed(_("The file no longer exists."))
        return uploads.open_if_sealed(content)

    def _progress(self, counts: Counts) -> dict[str, Any]:
        """The progress as columns of the job. With progress, the attempts are counted from 0 again."""
        unknown_permissions = dict(counts.unknown_permissions.most_common(MAX_NAMES))
        columns: dict[str, Any] = {
            "counts": {**vars(counts), "unknown_permissions": unknown_permissions},
            "left_out": dict(self.left_out.most_common(MAX_NAMES)),
            "report": self.issues,
            "told": dict(self.issue_counts),
        }
        if not self.starts_again and columns["counts"] != self.job.counts:
            columns["attempts"] = 0
        return columns


def _load_counts(stored: dict[str, Any]) -> Counts:
    """The counts after the last batch that was committed."""
    counts = Counts(**stored)
    counts.unknown_permissions = Counter(counts.unknown_permissions)
    return counts
