"""The checks themselves. They are cheap: a few indexed statements, and only the database and Redis are contacted.

`flask doctor` adds what takes longer, as a connection to the mail server.
"""

import time
from collections.abc import Iterator

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from userapi.core import database_errors, disk, migrations
from userapi.core.db import READING, db
from userapi.security import signing_keys, throttling

from . import work
from .findings import Finding, ok, trouble, warning

#: Parts that the service cannot do anything without: `/readyz` answers 503 while one of them fails.
ESSENTIAL = frozenset({"database", "migrations", "keys"})

#: MiB that are free beside a SQLite file: with less than SCARCE it is trouble, with less than LOW a warning.
SCARCE = 100
LOW = 1000


def run() -> list[Finding]:
    """Every part's state, now."""
    found = list(_database())
    is_usable = all(finding.state == "ok" for finding in found)
    found += (_keys(), _disk(), *work.checks(is_usable))
    return [*found, *_shared_counts()]


def _database() -> Iterator[Finding]:
    """The database and its tables, over one connection: without an answer, a second try would only take as long."""
    name = "SQLite" if db.engine.dialect.name == "sqlite" else "PostgreSQL"
    started = time.perf_counter()
    try:
        present = migrations.present()
    except sa.exc.SQLAlchemyError as error:
        text = database_errors.in_one_line(error)
        yield trouble("database", text, "unreachable", _("%(database)s does not answer.", database=name))
        yield warning("migrations", "not known: the database does not answer.", "unknown", _("Not known."))
        return
    milliseconds = (time.perf_counter() - started) * 1000
    version = ".".join(str(part) for part in db.engines[READING].dialect.server_version_info or ())
    answers = _("%(database)s answers.", database=name)
    yield ok("database", f"{name} {version} answers in {milliseconds:.1f} ms", answers)
    yield _migrations(present)


def _migrations(present: str | None) -> Finding:
    if present == migrations.wanted():
        return ok("migrations", f"at {present}, as this code needs", _("The tables fit this version."))
    if present is None or migrations.knows(present):
        first, *others = migrations.after(present)
        missing = f"{first} to {others[-1]}" if others else first
        return trouble(
            "migrations",
            f"pending: {missing}. Run `flask db upgrade` once; every host that uses this database needs this version.",
            "pending",
            _("The tables are older than this version."),
        )
    return trouble(
        "migrations",
        f"at {present}, which this code does not know: another host has run newer code. Install that version here.",
        "pending",
        _("The tables are newer than this version."),
    )


def _keys() -> Finding:
    ring = signing_keys.KeyRing(
        signing_keys.keys().folder
    )  # what is in the folder now, not what this process remembers
    try:
        newest, others = ring.newest(), ring.all()[1:]
    except signing_keys.KeyProblem as problem:
        return trouble("keys", str(problem), "missing", _("No key can sign tokens, so sign-ins fail."))
    signs = _("A key signs tokens.")
    return ok("keys", f"{newest.name} signs; {len(others)} more verify", signs)


def _disk() -> Finding:
    if disk.has_failed_lately():
        return _full("The database could not write within the last minute: disk full. Make room.")
    try:
        free = disk.free_megabytes(db.engine)
    except OSError as error:
        return warning("disk", f"not known: {error.strerror}", "unknown", _("Not known."))
    if free is None:
        return ok("disk", "no write has failed lately because the disk is full", _("The database has room to write."))
    text = f"{free} MiB are free in {disk.folder(db.engine)}"
    if free < disk.FULL:
        return _full(f"disk full: {text}. Make room.")
    explanation = _("%(number)s MiB are free.", number=free)
    if free < SCARCE:
        return trouble("disk", f"{text}. Make room, or writes will fail.", "almost full", explanation)
    if free < LOW:
        return warning("disk", f"{text}. Make room.", "low", explanation)
    return ok("disk", text, explanation)


def _full(text: str) -> Finding:
    return trouble("disk", text, disk.DISK_FULL, _("The disk is full: nothing can be saved."))


def _shared_counts() -> Iterator[Finding]:
    """Redis, where there is to be one."""
    answers = throttling.redis_answers()
    if answers is None:
        return
    if answers:
        yield ok("redis", "Redis answers", _("All workers count attempts together."))
        return
    yield trouble(
        "redis",
        f"REDIS_URL: {throttling.redis_error()}. Start it; until then each worker counts for itself.",
        "unreachable",
        _("Redis does not answer, so each worker counts attempts for itself."),
    )


def is_ready(found: list[Finding]) -> bool:
    """Whether the service can do its work."""
    return all(finding.state == "ok" for finding in found if finding.part in ESSENTIAL)
