"""The imports that staff start, and their files while these are needed."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime
from userapi.core.leased_jobs import LeasedJob


class ImportJob(LeasedJob, Model):
    """An import that staff started; `total` is the number of records in its file.

    Attributes:
        kind: the format of the file, one of `readers.KINDS`.
        size: the size of the file in bytes.
        on_conflict, on_bad_profile: see `ImportOptions`.
        counts: the fields of `Counts`, as of the last batch that was committed.
        left_out: the number of entries of the file that were ignored, by name.
        report: the first issues of each kind: kind, place, reason.
        told: the number of issues, by kind.
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
    """An uploaded file. It contains personal data and hashes, so it is deleted when the import no longer needs it.

    If it contains second factors, it is encrypted: see `uploads`.

    It is not in the row of the job, because that row is written after every batch.
    """

    __tablename__ = "import_files"

    job_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("import_jobs.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)
