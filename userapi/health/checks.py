"""The checks. They are cheap: a few indexed statements, and connections to the database and Redis only.

`flask doctor` adds slower ones, such as a connection to the mail server.
"""

import time
from collections.abc import Iterator

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from flask_babel import lazy_ngettext

from userapi.core import database_errors, disk, migrations
from userapi.core.db import AUTOCOMMIT, db
from userapi.security import key_folder, signing_keys, throttling

from . import fields, work
from .findings import Finding, failure, ok, warning

#: Parts without which the service cannot work: `/readyz` responds with 503 while one of them fails.
ESSENTIAL = frozenset({"database", "migrations", "keys"})

#: The free space beside a SQLite file, in MiB, below which the check fails or warns.
MIN_FREE = 100
LOW_FREE = 1000


def run() -> list[Finding]:
    """Check every part."""
    found = list(_database())
    is_usable = all(finding.state == "ok" for finding in found)
    found += (_keys(), _disk(), *work.checks(is_usable), *fields.checks(is_usable))
    return [*found, *_shared_counts()]


def _database() -> Iterator[Finding]:
    """The database and its tables, over one connection: a second attempt would only double the timeout."""
    name = "SQLite" if db.engine.dialect.name == "sqlite" else "PostgreSQL"
    started = time.perf_counter()
    try:
        present = migrations.get_database_revisions()
    except sa.exc.SQLAlchemyError as error:
        text = database_errors.describe_database_error(error)
        yield failure("database", text, "unreachable", _("%(database)s is not responding.", database=name))
        yield warning("migrations", "unknown: the database is not responding.", "unknown", _("Unknown."))
        return
    milliseconds = (time.perf_counter() - started) * 1000
    version = ".".join(str(part) for part in db.engines[AUTOCOMMIT].dialect.server_version_info or ())
    answers = _("%(database)s is responding.", database=name)
    yield ok("database", f"{name} {version} responded in {milliseconds:.1f} ms", answers)
    yield _migrations(present)


def _migrations(present: tuple[str, ...]) -> Finding:
    if unknown := migrations.list_unknown(present):
        return failure(
            "migrations",
            f"at {', '.join(unknown)}, which this version does not know: a newer version, or an extension that is not "
            "in EXTENSIONS, migrated the database. Install it here too.",
            "pending",
            _("The schema is newer than this version of the service knows."),
        )
    if pending := migrations.list_pending(present):
        first, *others = pending
        missing = f"{first} to {others[-1]}" if others else first
        command = "flask db upgrade heads" if migrations.get_branches() else "flask db upgrade"
        return failure(
            "migrations",
            f"pending: {missing}. Run `{command}` once; every host that uses this database needs this version.",
            "pending",
            _("The schema is older than this version of the service needs."),
        )
    return ok("migrations", f"up to date, at {', '.join(present)}", _("The schema is up to date."))


def _keys() -> Finding:
    ring = signing_keys.KeyRing(
        signing_keys.get_key_ring().folder
    )  # what is in the folder now, not what this process remembers
    try:
        newest, others = ring.newest(), ring.all()[1:]
    except key_folder.KeyFolderError as problem:
        return failure("keys", str(problem), "missing", _("There is no usable signing key, so users cannot sign in."))
    signs = _("A signing key is available.")
    return ok("keys", f"{newest.name} signs; {len(others)} more verify", signs)


def _disk() -> Finding:
    if disk.has_failed_recently():
        return _full("The disk was full within the last minute, so a write failed. Free up disk space.")
    try:
        free = disk.get_free_megabytes(db.engine)
    except OSError as error:
        return warning("disk", f"unknown: {error.strerror}", "unknown", _("Unknown."))
    if free is None:
        return ok("disk", "no recent write failed because of a full disk", _("The database has enough disk space."))
    text = f"{free} MiB are free in {disk.get_database_folder(db.engine)}"
    if free < disk.FULL_BELOW_MEGABYTES:
        return _full(f"disk full: {text}. Free up disk space.")
    explanation = lazy_ngettext("%(num)s MiB is free.", "%(num)s MiB are free.", free)
    if free < MIN_FREE:
        return failure("disk", f"{text}. Free up disk space, or writes will fail.", "almost full", explanation)
    if free < LOW_FREE:
        return warning("disk", f"{text}. Free up disk space.", "low", explanation)
    return ok("disk", text, explanation)


def _full(text: str) -> Finding:
    return failure("disk", text, disk.DISK_FULL, _("The disk is full, so nothing can be saved."))


def _shared_counts() -> Iterator[Finding]:
    """Redis, if REDIS_URL is set."""
    answers = throttling.is_redis_reachable()
    if answers is None:
        return
    if answers:
        yield ok("redis", "Redis is responding", _("All workers share their counts of attempts."))
        return
    yield failure(
        "redis",
        f"REDIS_URL: {throttling.get_redis_error()}. Start Redis; until then each worker counts attempts separately.",
        "unreachable",
        _("Redis is not responding, so each worker counts attempts separately."),
    )


def is_ready(found: list[Finding]) -> bool:
    """Whether the service can work."""
    return all(finding.state == "ok" for finding in found if finding.part in ESSENTIAL)
