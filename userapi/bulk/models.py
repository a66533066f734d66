"""One row for each action on many accounts, and one for each account that it has not acted on."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId
from userapi.core.leased_jobs import LeasedJob


class BulkJob(LeasedJob, Model):
    """An action on all accounts that a list matched when the action was confirmed; `total` counts them.

    Attributes:
        action: a name of `rules.RULES`.
        query: the query string of that list.
        done: accounts acted on.
        left_out: accounts not acted on, for a reason.
    """

    __tablename__ = "bulk_jobs"
    __table_args__ = ({"sqlite_autoincrement": True},)

    action: Mapped[str] = mapped_column(sa.String(20))
    query: Mapped[str] = mapped_column(sa.Text)
    done: Mapped[int] = mapped_column(sa.Integer, default=0)
    left_out: Mapped[int] = mapped_column(sa.Integer, default=0)


class BulkTarget(Model):
    """An account that a job has still to act on, or has left out. It is deleted in the transaction that acts on it.

    Attributes:
        user_id: no foreign key, for the account may be deleted while the job waits.
        reason: why the account was left out, as a `working.Reason`; None while it waits.
    """

    __tablename__ = "bulk_targets"

    job_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("bulk_jobs.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    reason: Mapped[str | None] = mapped_column(sa.String(30))
