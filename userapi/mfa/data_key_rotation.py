"""Rotating data keys: the newest seals, the others open what they sealed until it is sealed again."""

import uuid
from collections.abc import Callable
from datetime import timedelta

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.batches import ROWS_PER_TRANSACTION
from userapi.core.db import db
from userapi.security import data_keys
from userapi.security.data_keys import CannotOpen, DataKey, DataKeyMissing
from userapi.security.key_folder import CACHE_SECONDS, KeyFolderError

from . import data_key_queries, totp

#: How long after a rotation other workers may still use the previous key, because they have not read the folder again.
SECONDS_UNTIL_EVERYONE_KNOWS = 2 * CACHE_SECONDS


def ensure_key() -> None:
    """Create the first key if there is none, and record it in the audit log.

    Raises:
        KeyFolderError: the folder cannot be used.
    """
    keys = data_keys.get_data_keys()
    if not keys.all():
        _record_new(keys.add())


def prepare_key() -> DataKey:
    """Create a key that seals once it is published, and record it; the caller commits before publishing.

    Raises:
        KeyFolderError: the folder cannot be written.
    """
    key = data_keys.get_data_keys().prepare()
    _record_new(key)
    return key


def publish_key(key: DataKey) -> None:
    """Seal with a prepared key from now on.

    Raises:
        KeyFolderError: the folder cannot be written.
    """
    data_keys.get_data_keys().publish(key)


def reseal_all(report: Callable[[int], None]) -> tuple[int, int]:
    """Seal every secret under the newest key, in transactions of a limited size; it can be interrupted and run again.

    Args:
        report: called with the number of secrets after each transaction.

    Returns:
        The number of secrets that were sealed again, and of those that could not be opened.
    """
    resealed = failed = seen = 0
    last: uuid.UUID | None = None
    while apps := data_key_queries.read_apps_after(last, ROWS_PER_TRANSACTION):
        last, seen = apps[-1].id, seen + len(apps)
        for app in apps:
            try:
                resealed += totp.reseal(app)
            except (CannotOpen, DataKeyMissing):
                failed += 1
        db.session.commit()
        report(seen)
    return resealed, failed


def find_retirable_key(kid: str) -> DataKey:
    """A key that no longer seals, in any worker, and that no secret needs.

    Raises:
        KeyFolderError: there is no such key; the text says why.
    """
    keys = data_keys.get_data_keys()
    key = keys.find(kid)
    if key is None:
        raise KeyFolderError(_("There is no key %(kid)s. To see all keys, run `flask data-keys list`.", kid=kid))
    newest = keys.newest()
    if key.kid == newest.kid:
        raise KeyFolderError(_("This key seals new secrets. Run `flask data-keys rotate` first."))
    if clock.now() - keys.created_at(newest) < timedelta(seconds=SECONDS_UNTIL_EVERYONE_KNOWS):
        raise KeyFolderError(_("Workers may still use this key. Try again in a minute."))
    apps, codes = data_key_queries.count_under_key(data_keys.sealed_prefix(kid), data_keys.digest_prefix(kid))
    if apps or codes:
        raise KeyFolderError(
            _(
                "This key is still in use. Authenticator apps: %(apps)s. Recovery codes: %(codes)s. To encrypt the "
                "secrets of the apps with the newest key, run `flask data-keys rotate --resume`.",
                apps=apps,
                codes=codes,
            )
        )
    return key


def record_retirement(key: DataKey) -> None:
    """Record in the audit log that a key is deleted; the caller deletes it after the commit."""
    audit_log.record("data_key.retired", None, None, {"kid": (key.kid, None)})


def delete_key(key: DataKey) -> None:
    """Delete a key.

    Raises:
        KeyFolderError: the folder cannot be written.
    """
    data_keys.get_data_keys().remove(key.name)


def _record_new(key: DataKey) -> None:
    audit_log.record("data_key.added", None, None, {"kid": (None, key.kid)})
