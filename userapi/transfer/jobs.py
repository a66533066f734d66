"""Imports that staff start: asked for, looked through, given up. `job_worker` does them."""

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

from . import job_queries, readers
from .models import ImportFile, ImportJob
from .options import ImportOptions
from .records import Record, UnreadableFile

#: Records in a file; `flask users import` reads more.
MOST_RECORDS = 100_000

#: So long a file is kept for an import to follow its dry run, and a row once it is over.
FILE_KEPT = timedelta(days=1)
JOB_KEPT = timedelta(days=30)

NAME_KEPT = 100

#: An email in the name of a file; it would stay when the account is deleted.
EMAIL = re.compile(r"[^\s@]+@[^\s@]+(?=\.\w+$)")


class FileTooLarge(Problem):
    """The file has more bytes than an import takes here."""

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
    """How many bytes a file may have (IMPORT_MAX_MIB)."""
    return int(app.config["IMPORT_MAX_MIB"]) * 2**20


def submit(file_name: str, content: bytes, options: ImportOptions, by: Actor) -> ImportJob:
    """Ask for the import of a file.

    Raises:
        FileTooLarge: it has more bytes than IMPORT_MAX_MIB allows.
        UnreadableFile: its name does not tell what it is, or it is not that.
    """
    name = EMAIL.sub(audit_log.WITHHELD, _printable(PurePath(file_name.replace("\\", "/")).name))
    if len(content) > max_bytes(current_app):
        raise FileTooLarge
    if readers.is_compressed(content):
        raise UnreadableFile(_("The file is compressed. Extract it first, or use flask users import."))
    kind = readers.kind_of(name)
    if kind is None:
        raise UnreadableFile(_("The file name must end in .csv, .jsonl or .json."))
    total = count_records(content, kind)
    job = _ask(by, options, file_name=name[-NAME_KEPT:], kind=kind, size=len(content), total=total)
    db.session.add(ImportFile(job_id=job.id, created_at=job.created_at, content=content))
    db.session.flush()
    return job


def go_ahead(job_id: int, by: Actor) -> ImportJob:
    """Ask for the import of a file that a dry run has looked through.

    Raises:
        NotFound: there is no such dry run, it is not done, or its file is not there any more.
    """
    looked = job_queries.by_id(job_id)
    if looked is None or not looked.dry_run or looked.state != State.DONE:
        raise NotFound(_("There is no finished dry run with this ID."))
    facts = {name: looked._mapping[name] for name in ("file_name", "kind", "size", "total")}
    options = ImportOptions(on_conflict=looked.on_conflict, on_bad_profile=looked.on_bad_profile)
    job = _ask(by, options, **facts)
    if not job_queries.hand_over(job_id, job.id):
        raise NotFound(_("The file of this dry run has been deleted. Upload it again."))
    job_queries.note_counts(job_id, {**looked.counts, "import_id": job.id})
    return job


def import_of(job_id: int) -> int | None:
    """The import that took the file of a dry run; None when there is none."""
    looked = job_queries.by_id(job_id)
    successor = looked.counts.get("import_id") if looked else None
    return successor if successor and job_queries.by_id(successor) else None


def cancel(job_id: int) -> bool:
    """Give an import up, and its file; whether it was not over. Whom it has brought in by then stay.

    Raises:
        NotFound: there is nothing to give up.
    """
    was_active = leased_jobs.cancel(job_queries.jobs, job_id)
    if not job_queries.remove_file(job_id) and not was_active:
        raise NotFound(_("This import does not exist or has already finished."))
    audit_log.record("import.cancelled", "import", job_id)
    return was_active


def expire() -> None:
    """Clear away files that nobody asks for any more, and imports that are long over."""
    now = clock.now()
    error = _("Not started within 24 hours, so the file was deleted.")
    job_queries.expire(now, now - FILE_KEPT, now - JOB_KEPT, error)


def count_records(content: bytes, kind: str) -> int:
    """How many users and groups a file has.

    Raises:
        UnreadableFile: there are none or too many, or it is not what its name says.
    """
    if not content.strip():
        raise UnreadableFile(_("The file is empty."))
    if not content.startswith(readers.UTF16):
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise UnreadableFile(_("The file is not valid UTF-8. Save it as UTF-8.")) from error
    first_wrong: Record | None = None
    total, has_good = 0, False
    for total, record in enumerate(readers.open_bytes(content, kind, Counter()), 1):
        if total > MOST_RECORDS:
            raise UnreadableFile(
                _(
                    "The file has more than %(most)s users. Import larger files with the command flask users import.",
                    most=i18n.number(MOST_RECORDS),
                )
            )
        has_good = has_good or not record.error
        first_wrong = first_wrong or (record if record.error else None)
    if not has_good:
        raise UnreadableFile(_said_of(first_wrong) if first_wrong else _("The file contains no users."))
    return total


def _said_of(record: Record) -> str:
    return str(_("No line of the file can be read. %(place)s: %(reason)s", place=record.place, reason=record.error))


def _ask(by: Actor, options: ImportOptions, **facts: Any) -> ImportJob:
    job = ImportJob(
        created_at=clock.now(),
        actor_id=by.id,
        language=i18n.tag(),
        dry_run=options.dry_run,
        on_conflict=str(options.on_conflict),
        on_bad_profile=str(options.on_bad_profile),
        state=State.WAITING,
        **facts,
    )
    db.session.add(job)
    db.session.flush()
    told = {"file": job.file_name, "dry_run": options.dry_run, "on_conflict": str(options.on_conflict)}
    audit_log.record("import.started", "import", job.id, {name: (None, value) for name, value in told.items()})
    job_runner.wake_on_commit()
    return job


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
