"""Doing the imports that staff have asked for: each once, by any number of workers, whichever of them die.

An import is claimed for the time of a lease, which every batch prolongs in its own transaction, along with the counts.
A worker that dies loses the batch at hand alone: the lease runs out, and the next goes on behind the last batch. One
that overslept its lease finds that out before it commits.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.audit import trail
from userapi.core import clock
from userapi.core.context import on_behalf_of
from userapi.core.db import db
from userapi.core.i18n import speaking
from userapi.core.problems import Problem

from . import files, importing, job_queries, jobs
from .job_queries import State
from .manner import NOT_TOLD, Counts, Manner, OnConflict, Told

log = structlog.get_logger("userapi.imports")

#: Longer than a batch takes, even on a slow day; and longer than all take, where they stand or fall together.
LEASE = timedelta(minutes=1)
LEASE_OF_WHOLE = timedelta(minutes=10)

#: An import that ends its workers so often without getting on is given up.
MOST_ATTEMPTS = 3

#: Of each kind of thing there is to say, so many are kept, each so long.
REPORTED = 200
LONGEST_REASON = 500

#: So many names are kept of what means nothing here.
NAMED = 100


class ImportFailed(Problem):
    """An import cannot go on."""

    title = lazy_gettext("Import failed")


class _NotOursAnyMore(Exception):
    """It was cancelled, or another worker has it."""


def is_anything_due() -> bool:
    """Whether `do_due` would find something to do."""
    now = clock.now()
    return job_queries.is_anything_due(now, now - jobs.FILE_KEPT, now - jobs.JOB_KEPT)


def do_due(*, stop: Callable[[], bool] = lambda: False) -> bool:
    """Do the import that waits longest, and clear away what is long over; whether there was one.

    Args:
        stop: asked after each batch; the next worker then goes on.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is away; what was committed stays, and the next worker goes on.
    """
    if not is_anything_due():
        return False
    jobs.expire()
    job = job_queries.claim(clock.now(), LEASE)
    db.session.commit()
    if job is None:
        return False
    with on_behalf_of(job.actor_id), speaking(job.language):
        _Work(job).do(stop)
    return True


class _Work:
    """One import, as long as one worker has it."""

    def __init__(self, job: sa.Row[Any]) -> None:
        self.job = job
        self.manner = Manner(OnConflict(job.on_conflict), job.dry_run)
        #: Whether nothing of it stands before all of it does.
        self.is_whole = self.manner.on_conflict is OnConflict.FAIL and not job.dry_run
        #: Whether it begins anew where another would go on.
        self.begins_anew = self.is_whole or job.dry_run
        self.left_out: Counter[str] = Counter()
        self.report: list[list[str]] = [] if self.begins_anew else list(job.report)
        self.told: Counter[str] = Counter({} if self.begins_anew else job.told)

    def do(self, stop: Callable[[], bool]) -> None:
        """Do it to its end, or until it is to stop, and write down how it went."""
        log.info("import begins", job=self.job.id, attempts=self.job.attempts)
        try:
            self._go(stop)
        except _NotOursAnyMore:
            db.session.rollback()
            log.warning("import left to others", job=self.job.id)
        except Problem as problem:
            db.session.rollback()
            self._fail(str(problem))
        except Exception:
            db.session.rollback()
            self._let_go()
            raise

    def _go(self, stop: Callable[[], bool]) -> None:
        counts = Counts() if self.begins_anew else _counts(self.job.counts)
        records = files.open_bytes(self._content(), self.job.kind, self.left_out)
        if self.is_whole:
            self._advance(LEASE_OF_WHOLE)
            db.session.commit()
        with closing(importing.bring_in(records, self.manner, self.tell, counts)) as batches:
            for counts in batches:
                if self.manner.dry_run:
                    db.session.rollback()
                got_on = self.begins_anew or self._columns(counts)["counts"] != self.job.counts
                if not self.is_whole:
                    self._advance(LEASE, **self._columns(counts))
                    db.session.commit()
                if got_on and stop():
                    db.session.rollback()
                    self._let_go()
                    return
        self._finish(State.DONE, **self._columns(counts))

    def tell(self, kind: Told, place: str, reason: str) -> None:
        """Take one thing to say of a record; the first of each kind are kept."""
        self.told[kind] += 1
        if self.told[kind] <= REPORTED:
            self.report.append([str(kind), place, _line(reason)])

    def _content(self) -> bytes:
        """What is to be imported.

        Raises:
            ImportFailed: it is not there, may not be imported any more, or was tried often enough.
        """
        if self.job.attempts > MOST_ATTEMPTS:
            raise ImportFailed(_("It broke off several times. The log of the service says why."))
        if not job_queries.may_import(self.job.actor_id):
            raise ImportFailed(_("Whoever asked for it is no superuser any more."))
        content = job_queries.content(self.job.id)
        if content is None:
            raise ImportFailed(_("The file is not there any more."))
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

    def _advance(self, lease: timedelta | None, **columns: Any) -> None:
        """Write down how it stands, in the transaction of what was done.

        Raises:
            _NotOursAnyMore: nothing of that transaction may stand.
        """
        until = None if lease is None else clock.now() + lease
        job = job_queries.advance(self.job, until, **columns)
        if job is None:
            raise _NotOursAnyMore
        self.job = job

    def _finish(self, state: State, **columns: Any) -> None:
        """End it, and delete its file, unless an import is to follow the dry run."""
        self._advance(None, state=state, finished_at=clock.now(), **columns)
        if state is not State.DONE or not self.job.dry_run:
            job_queries.remove_file(self.job.id)
        numbers = {name: value for name, value in self.job.counts.items() if name not in NOT_TOLD}
        facts = {"state": str(state), "dry_run": self.job.dry_run, **numbers}
        trail.record("import.finished", "import", self.job.id, {name: (None, fact) for name, fact in facts.items()})
        db.session.commit()
        log.info("import ended", job=self.job.id, state=str(state))

    def _fail(self, reason: str) -> None:
        try:
            self._finish(State.FAILED, error=_line(reason))
        except _NotOursAnyMore:
            db.session.rollback()

    def _let_go(self) -> None:
        """Let the next worker go on at once."""
        job_queries.advance(self.job, None)
        db.session.commit()


def _counts(stored: dict[str, Any]) -> Counts:
    """How it stood after the last batch."""
    found = Counts(**stored)
    found.unknown_permissions = Counter(found.unknown_permissions)
    return found


def _line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:LONGEST_REASON]
