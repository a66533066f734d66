"""One row for each import that staff ask for, and one for its file as long as it is needed."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime
from userapi.core.leased_jobs import LeasedJob


class ImportJob(LeasedJob, Model):
    """An import, from the upload on; `total` counts the records in its file.

    Attributes:
        kind: of the file, as `csv`.
        on_conflict, on_bad_profile: see `ImportOptions`.
        counts: the fields of `options.Counts`, as of the last batch that was committed.
        left_out: how much of the file means nothing here, by its name.
        report: the first things there were to say of records: kind, place, reason.
        told: how many there were, by kind.
    """

    __tablename__ = "import_jobs"
    __table_args__ = ({"sqlite_autoincrement": True},)

    file_name: Mapped[str] = mapped_column(sa.String(100))
    kind: Mapped[str] = mapped_column(sa.String(10))
    size: Mapped[int] = mapped_column(sa.Integer)
    dry_run: Mapped[bool] = mapped_column(sa.Boolean)
    on_conflict: Mapped[str] = mapped_column(sa.String(10))
    on_bad_profile: Mapped[str] = mapped_column(sa.String(20), server_default="leave-out-field")
    counts: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    left_out: Mapped[dict[str, int]] = mapped_column(sa.JSON, default=dict)
    report: Mapped[list[list[str]]] = mapped_column(sa.JSON, default=list)
    told: Mapped[dict[str, int]] = mapped_column(sa.JSON, default=dict)


class ImportFile(Model):
    """What was uploaded: personal data and hashes, so it is there no longer than its import needs it.

    It stands apart from the job, which is written after every batch.
    """

    __tablename__ = "import_files"

    job_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("import_jobs.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)
