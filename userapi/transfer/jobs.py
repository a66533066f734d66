"""Starts and cancels imports on the staff site. `job_worker` runs them."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from flask import Flask, current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.audit import audit_log
from userapi.core import clock, i18n, job_runner, leased_jobs
from userapi.core.db import db
from userapi.core.leased_jobs import State
from userapi.core.problems import NotFound, Problem
from userapi.users.permissions import Actor

from . import job_queries, readers, uploads
from .models import ImportFile, ImportJob
from .options import ImportOptions
from .records import SECOND_FACTORS, Record, UnreadableFile

#: The maximum number of records in a file; `flask users import` has no limit.
MAX_RECORDS = 100_000

#: How long a file is kept after the upload, so that an import can follow the dry run.
FILE_RETENTION = timedelta(days=1)

#: The number of characters of a file name that are stored.
MAX_NAME_LENGTH = 100

#: An email address in a file name. It is not stored, because it would still be there after the account is deleted.
EMAIL = re.compile(r"[^\s@]+@[^\s@]+(?=\.\w+$)")


class FileTooLarge(Problem):
    """The file is larger than IMPORT_MAX_MIB."""

    status = 413
    code = "body_too_large"
    title = lazy_gettext("File too large")

    def __init__(self) -> None:
        text = _(
            "The file is larger than %(size)s MiB. Import larger files with the command flask users import.",
            size=max_bytes(current_app) // 2**20,
        )
        super().__init__(text)


def max_bytes(app: Flask) -> int:
    """The maximum size of a file in bytes (IMPORT_MAX_MIB)."""
    return int(app.config["IMPORT_MAX_MIB"]) * 2**20


def start_import(file_name: str, content: bytes, options: ImportOptions, by: Actor) -> ImportJob:
    """Check a file, and start its import or dry run.

    Raises:
        FileTooLarge: it is larger than IMPORT_MAX_MIB.
        UnreadableFile: the file name shows no known format, or the file has another format.
    """
    name = EMAIL.sub(audit_log.WITHHELD, _printable(PurePath(file_name.replace("\\", "/")).name))
    if len(content) > max_bytes(current_app):
        raise FileTooLarge
    if readers.is_compressed(content):
        raise UnreadableFile(_("The file is compressed. Extract it first, or use flask users import."))
    kind = readers.kind_of(name)
    if kind is None:
        raise UnreadableFile(_("The file name must end in .csv, .jsonl or .json."))
    total, has_factors = count_records(content, kind)
    job = _create_job(by, options, file_name=name[-MAX_NAME_LENGTH:], kind=kind, size=len(content), total=total)
    stored = uploads.seal(content) if has_factors else content
    db.session.add(ImportFile(job_id=job.id, created_at=job.created_at, content=stored))
    db.session.flush()
    return job


def start_import_after_dry_run(job_id: int, by: Actor) -> ImportJob:
    """Start the import of a file after its dry run.

    Raises:
        NotFound: there is no finished dry run with this id, or its file was deleted.
    """
    dry_run = job_queries.find_job(job_id)
    if dry_run is None or not dry_run.dry_run or dry_run.state != State.DONE:
        raise NotFound(_("There is no finished dry run with this ID."))
    columns = {name: dry_run._mapping[name] for name in ("file_name", "kind", "size", "total")}
    options = ImportOptions(on_conflict=dry_run.on_conflict, on_bad_profile=dry_run.on_bad_profile)
    job = _create_job(by, options, **columns)
    if not job_queries.move_file(job_id, job.id):
        raise NotFound(_("The file of this dry run has been deleted. Upload it again."))
    job_queries.store_counts(job_id, {**dry_run.counts, "import_id": job.id})
    return job


def find_import_after_dry_run(job_id: int) -> int | None:
    """The id of the import that was started after a dry run; or None."""
    dry_run = job_queries.find_job(job_id)
    import_id = dry_run.counts.get("import_id") if dry_run else None
    return import_id if import_id and job_queries.find_job(import_id) else None


def cancel_import(job_id: int) -> bool:
    """Cancel an import and delete its file; users who are already imported stay.

    Returns:
        Whether the import was still waiting or running; otherwise only the file was deleted.

    Raises:
        NotFound: there is no such import, or it has ended and has no file.
    """
    was_active = leased_jobs.cancel(job_queries.jobs, job_id)
    if not job_queries.delete_file(job_id) and not was_active:
        raise NotFound(_("This import does not exist or has already finished."))
    audit_log.record("import.cancelled", "import", job_id)
    return was_active


def is_anything_due() -> bool:
    """Whether there is an import to run or anything to delete. Call it outside a transaction."""
    has_expired_file = job_queries.has_expired_file(clock.now() - FILE_RETENTION)
    return leased_jobs.is_anything_due(job_queries.jobs, has_expired_file)


def delete_expired() -> None:
    """Delete files and imports after their retention."""
    now = clock.now()
    error = _("Not started within 24 hours, so the file was deleted.")
    job_queries.delete_expired_files(now, now - FILE_RETENTION, error)
    leased_jobs.delete_expired(job_queries.jobs)


def count_records(content: bytes, kind: str) -> tuple[int, bool]:
    """Count the users and groups in a file; and whether a user has second factors.

    Raises:
        UnreadableFile: there are none or too many, or the file has another format.
    """
    if not content.strip():
        raise UnreadableFile(_("The file is empty."))
    if not content.startswith(readers.UTF16):
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise UnreadableFile(_("The file is not valid UTF-8. Save it as UTF-8.")) from error
    first_invalid: Record | None = None
    total, has_valid, has_factors = 0, False, False
    for total, record in enumerate(readers.read_bytes(content, kind, Counter()), 1):
        if total > MAX_RECORDS:
            raise UnreadableFile(
                _(
                    "The file has more than %(most)s users. Import larger files with the command flask users import.",
                    most=i18n.format_number(MAX_RECORDS),
                )
            )
        has_valid = has_valid or not record.error
        has_factors = has_factors or SECOND_FACTORS in record.values
        first_invalid = first_invalid or (record if record.error else None)
    if not has_valid:
        raise UnreadableFile(_describe(first_invalid) if first_invalid else _("The file contains no users."))
    return total, has_factors


def _describe(record: Record) -> str:
    return str(_("No line of the file can be read. %(place)s: %(reason)s", place=record.place, reason=record.error))


def _create_job(by: Actor, options: ImportOptions, **columns: Any) -> ImportJob:
    job = ImportJob(
        created_at=clock.now(),
        actor_id=by.id,
        language=i18n.get_language_tag(),
        dry_run=options.dry_run,
        on_conflict=str(options.on_conflict),
        on_bad_profile=str(options.on_bad_profile),
        state=State.WAITING,
        **columns,
    )
    db.session.add(job)
    db.session.flush()
    facts = {"file": job.file_name, "dry_run": options.dry_run, "on_conflict": str(options.on_conflict)}
    audit_log.record("import.started", "import", job.id, {name: (None, value) for name, value in facts.items()})
    job_runner.wake_on_commit()
    return job


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
