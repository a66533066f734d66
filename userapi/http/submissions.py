"""Forms that were submitted twice: the second submission gets the same response as the first.

A user who clicks twice sends the same form twice, and sees only the second response. The first submission inserts a
row, and its outcome, in the transaction that does the work; the second waits on the row's key for it.
"""

import time
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core import clock
from userapi.core.db import Model, UTCDateTime, db
from userapi.core.writes import delete_some

#: A second submission within this time counts as the same click.
DEFAULT_WINDOW = timedelta(seconds=60)

#: The maximum `window` of `claim_submission`; older rows are deleted.
MAX_WINDOW = timedelta(days=1)

#: In seconds.
POLL_SECONDS = 0.05


class FormSubmission(Model):
    """A form that was submitted.

    Attributes:
        key: a digest of the form, the page it was on and everything in it.
        created_at: when it was submitted.
        outcome: the outcome, as its page wrote it; None if it did not succeed.
    """

    __tablename__ = "form_submissions"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    outcome: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))


def claim_submission(
    key: str, window: timedelta = DEFAULT_WINDOW, timeout: timedelta = timedelta(0)
) -> dict[str, Any] | None:
    """The outcome of the earlier submission of the same form; None if this one should be processed.

    Waits for a submission of the same form that is being handled.

    Args:
        key: of the form.
        window: the maximum age of the earlier submission.
        timeout: how long to wait for an outcome that is stored in a later transaction. Waiting rolls back, so nothing
            may be written before.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    while True:
        now = clock.now()
        try:
            with db.session.begin_nested():
                db.session.execute(sa.insert(FormSubmission).values(key=key, created_at=now, outcome=None))
                return None
        except IntegrityError:
            known = db.session.execute(
                sa.select(FormSubmission.created_at, FormSubmission.outcome)
                .where(FormSubmission.key == key)
                .with_for_update()
            ).one_or_none()
        is_recent = known is not None and now - known.created_at <= window
        if known is not None and is_recent and known.outcome is not None:
            outcome: dict[str, Any] = known.outcome
            return outcome
        if not is_recent or time.monotonic() >= deadline:
            _update(key, created_at=now, outcome=None)
            return None
        db.session.rollback()
        time.sleep(POLL_SECONDS)


def find_outcome(key: str, window: timedelta = DEFAULT_WINDOW) -> dict[str, Any] | None:
    """The outcome of an earlier submission of the same form; None if none has succeeded within `window`."""
    outcome: dict[str, Any] | None = db.session.scalar(
        sa.select(FormSubmission.outcome).where(
            FormSubmission.key == key, FormSubmission.created_at > clock.now() - window
        )
    )
    return outcome


def finish_submission(key: str, outcome: dict[str, Any]) -> None:
    """Store the outcome of a claimed submission, in the transaction that does the work or in the next one."""
    _update(key, outcome=outcome)


def prune_submissions(before: datetime, most: int) -> int:
    """Delete submissions made before a moment, a bounded number at a time; returns the number deleted."""
    return delete_some(FormSubmission.key, FormSubmission.created_at < before, most)


def _update(key: str, **values: Any) -> None:
    db.session.execute(
        sa.update(FormSubmission)
        .where(FormSubmission.key == key)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
