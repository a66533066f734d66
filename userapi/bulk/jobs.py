"""Actions on more accounts than one request can deal with: started, cancelled, deleted. `job_worker` does them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock, i18n, job_runner, leased_jobs
from userapi.core.db import db
from userapi.core.leased_jobs import State
from userapi.core.problems import NotFound
from userapi.users.accounts import Actor

from . import queries
from .models import BulkJob
from .rules import RULES

#: How long a job and its report are kept after its end.
JOB_KEPT = timedelta(days=30)


def start(action: str, filters: Mapping[str, Any], query: str, newest: int, by: Actor) -> BulkJob:
    """Start an action on all accounts that match now.

    Args:
        action: a name of `RULES`.
        filters: as `list_queries.conditions` has them.
        query: the query string with the same meaning, for people; the words of a search are not stored.
        newest: the highest id when the list was looked at; accounts made since are left out.
        by: who starts it, and in whose name each account is acted on.

    Raises:
        NotFound: no account matches that the action concerns.
    """
    job = BulkJob(
        created_at=clock.now(), actor_id=by.id, language=i18n.tag(), state=State.WAITING,
        action=action, query=_without_words(query), total=0,
    )  # fmt: skip
    db.session.add(job)
    db.session.flush()
    job.total = queries.add_targets(job.id, filters, RULES[action].is_active, newest)
    if not job.total:
        raise NotFound(_("No users match any more."))
    db.session.flush()
    facts = {"action": action, "total": job.total, **{name: str(value) for name, value in filters.items()}}
    audit_log.record("bulk.started", "bulk", job.id, {name: (None, fact) for name, fact in facts.items()})
    job_runner.wake_on_commit()
    return job


def _without_words(query: str) -> str:
    """A query string without the words of a search, which may be the email or the name of an account."""
    return urlencode([(name, audit_log.WITHHELD if name == "search" else value) for name, value in parse_qsl(query)])


def cancel(job_id: int) -> None:
    """Cancel a job. What it has done by then stays.

    Raises:
        NotFound: there is no such job, or it has ended.
    """
    if not leased_jobs.cancel(queries.jobs, job_id):
        raise NotFound(_("This bulk action does not exist or has already finished."))
    queries.remove_waiting(job_id)
    audit_log.record("bulk.cancelled", "bulk", job_id)


def expire() -> None:
    """Delete jobs that ended long ago."""
    queries.expire(clock.now() - JOB_KEPT)
