"""Which declarations the service has run with. A new one is recorded once, when a service begins to serve."""

import hashlib
import logging
import threading
import time
import tomllib
from collections.abc import Sequence

import sqlalchemy as sa
from flask import Flask

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.context import ActingContext, Origin, use_acting_context
from userapi.core.db import db
from userapi.users import field_keys
from userapi.users.field_definition import Field
from userapi.users.fields import PROFILE_FIELDS

from . import queries, toml_file, toml_writer
from .names import DeclarationError

#: After an error of the database, such as a pending migration, recording is tried again after so many seconds.
RETRY_AFTER = 60.0

log = logging.getLogger("userapi.users")


class Recorder:
    """Records the declaration of an application with its first request.

    Args:
        app: the application.
        fields: the declaration.
    """

    def __init__(self, app: Flask, fields: Sequence[Field]) -> None:
        self._app, self._fields = app, fields
        self._due = 0.0
        self._turn = threading.Lock()

    def record(self) -> None:
        """Record the declaration, unless that is done: in a thread, because the service does it and not the client."""
        if time.monotonic() < self._due or not self._turn.acquire(blocking=False):
            return
        try:
            self._due = time.monotonic() + RETRY_AFTER
            thread = threading.Thread(target=self._record)
            thread.start()
            thread.join()
        finally:
            self._turn.release()

    def _record(self) -> None:
        with self._app.app_context(), use_acting_context(ActingContext(Origin.SYSTEM)):
            try:
                record_declaration(self._fields)
                db.session.commit()
                self._due = float("inf")
            except sa.exc.SQLAlchemyError as error:
                log.warning("declaration of profile fields not recorded", extra={"error": type(error).__name__})


def record_while_serving(app: Flask, fields: Sequence[Field]) -> None:
    """Record the declaration of an application with its first request, so that commands do not."""
    app.before_request(Recorder(app, fields).record)


def record_declaration(fields: Sequence[Field]) -> None:
    """Record a declaration if it is not the newest one. Of several workers that do so, one writes the event."""
    document = toml_writer.write(fields)
    digest = compute_digest(document)
    newest = queries.find_newest_declaration()
    if newest is not None and newest.digest == digest:
        return
    before = toml_writer.write(PROFILE_FIELDS) if newest is None else newest.document
    if queries.declare(digest, document, clock.now(), None if newest is None else newest.declared_at):
        audit_log.record("fields.declared", changes=_compare(before, document))
        earlier = {name for known in queries.list_declarations() if known != document for name in _tables(known)}
        field_keys.declare(fields, _parse(before), earlier)


def compute_digest(document: str) -> str:
    """SHA-256 of a declaration."""
    return hashlib.sha256(document.encode()).hexdigest()


def _compare(before: str, after: str) -> dict[str, tuple[None, list[str]]]:
    """The names of the fields that differ."""
    old, new = _tables(before), _tables(after)
    names = {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "changed": [name for name in new if name in old and new[name] != old[name]],
    }
    return {what: (None, found) for what, found in names.items() if found}


def _parse(document: str) -> Sequence[Field]:
    try:
        return toml_file.parse(document)
    except DeclarationError:  # written by another version of the service
        return ()


def _tables(document: str) -> dict[str, object]:
    tables: dict[str, object] = tomllib.loads(document).get("profile", {})
    return tables
