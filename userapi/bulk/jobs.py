"""Starts and cancels bulk actions: actions on too many accounts for one request. `job_worker` runs them."""

from collections.abc import Mapping
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


def start_bulk_action(action: str, filters: Mapping[str, Any], query: str, newest: int, by: Actor) -> BulkJob:
    """Start an action on all accounts that match filters.

    Args:
        action: a name of `RULES`.
        filters: as for `list_queries.build_conditions`.
        query: the same filters as a query string, to show to staff; search terms are not stored.
        newest: the highest id when the list was shown; accounts that were created later are left out.
        by: the staff member who starts it, whose permissions apply to each account.

    Raises:
        NotFound: no account matches that the action applies to.
    """
    job = BulkJob(
        created_at=clock.now(), actor_id=by.id, language=i18n.get_language_tag(), state=State.WAITING,
        action=action, query=_remove_search_terms(query), total=0,
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


def _remove_search_terms(query: str) -> str:
    """A query string without search terms, which may be the email or name of an account."""
    return urlencode([(name, audit_log.WITHHELD if name == "search" else value) for name, value in parse_qsl(query)])


def cancel_bulk_action(job_id: int) -> None:
    """Cancel a job. What it has done so far stays.

    Raises:
        NotFound: there is no such job, or it has ended.
    """
    if not leased_jobs.cancel(queries.jobs, job_id):
        raise NotFound(_("This bulk action does not exist or has already finished."))
    queries.delete_remaining_targets(job_id)
    audit_log.record("bulk.cancelled", "bulk", job_id)
