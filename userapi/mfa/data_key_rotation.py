"""Rotating data keys: the newest seals, the others open what they sealed until it is sealed again."""

from datetime import timedelta

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock
from userapi.security import data_keys
from userapi.security.data_keys import DataKey
from userapi.security.key_folder import CACHE_SECONDS, KeyFolderError

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


def find_retirable_key(kid: str) -> DataKey:
    """A key that no longer seals, in any worker.

    Raises:
        KeyFolderError: there is no key with this id, it is the one that seals, or it was until a moment ago.
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
