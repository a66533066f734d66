"""Bulk actions, and the accounts that they have not acted on yet or have left out."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId
from userapi.core.leased_jobs import LeasedJob

#: The maximum length of a reason.
MAX_REASON_LENGTH = 30


class BulkJob(LeasedJob, Model):
    """An action on all accounts that a list matched when the action was confirmed; `total` counts them.

    Attributes:
        action: a name of `rules.RULES`.
        query: the query string of that list.
        done: the number of accounts acted on.
        left_out: the number of accounts left out.
    """

    __tablename__ = "bulk_jobs"
    __table_args__ = ({"sqlite_autoincrement": True},)

    action: Mapped[str] = mapped_column(sa.String(20))
    query: Mapped[str] = mapped_column(sa.Text)
    done: Mapped[int] = mapped_column(sa.Integer, default=0)
    left_out: Mapped[int] = mapped_column(sa.Integer, default=0)


class BulkTarget(Model):
    """An account that a job has not acted on yet, or has left out.

    The row is deleted in the transaction that acts on the account.

    Attributes:
        user_id: no foreign key, because the account may be deleted while the job waits.
        reason: why the account was left out: a problem code or `job_worker.NOT_APPLICABLE`; None while it waits.
    """

    __tablename__ = "bulk_targets"

    job_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("bulk_jobs.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    reason: Mapped[str | None] = mapped_column(sa.String(MAX_REASON_LENGTH))
