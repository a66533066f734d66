"""Rotating signing keys: the newest signs tokens, the others verify the tokens that they signed until these expire."""

from datetime import datetime, timedelta
from typing import NamedTuple

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.security import signing_keys
from userapi.security.key_folder import KeyFolderError
from userapi.security.signing_keys import SigningKey


class ListedKey(NamedTuple):
    """A key and its use.

    Attributes:
        kid: its RFC 7638 thumbprint.
        name: of its file, without `.pem`.
        needed_until: when the last token that it signed expires; None for the key that signs.
    """

    kid: str
    name: str
    needed_until: datetime | None


def list_keys() -> list[ListedKey]:
    """Every key, the newest first.

    Raises:
        KeyFolderError: the folder cannot be read.
    """
    ring = signing_keys.get_key_ring()
    max_lifetime = timedelta(seconds=current_app.config["SESSION_LIFETIME"])
    listed, replaced_at = [], None
    for key in ring.all():
        listed.append(ListedKey(key.kid, key.name, None if replaced_at is None else replaced_at + max_lifetime))
        replaced_at = ring.created_at(key)
    return listed


def prepare_key() -> SigningKey:
    """Create a key that signs once it is published, and record it in the audit log.

    The caller commits before publishing, so that no key signs that is missing in the audit log.

    Raises:
        KeyFolderError: the folder cannot be written.
    """
    key = signing_keys.get_key_ring().prepare()
    audit_log.record("key.added", "key", key.name[:36], {"kid": (None, key.kid)})
    return key


def publish_key(key: SigningKey) -> None:
    """Sign with a prepared key from now on.

    Raises:
        KeyFolderError: the folder cannot be written.
    """
    signing_keys.get_key_ring().publish(key)


def list_other_keys(key: SigningKey) -> list[SigningKey]:
    """Every key except one."""
    return [other for other in signing_keys.get_key_ring().all() if other.kid != key.kid]


def find_verifying_key(kid: str) -> SigningKey:
    """A key that only verifies tokens.

    Raises:
        KeyFolderError: there is no key with this id, or it is the one that signs.
    """
    ring = signing_keys.get_key_ring()
    key = next((key for key in ring.all() if key.kid == kid), None)
    if key is None:
        raise KeyFolderError(_("There is no key %(kid)s. To see all keys, run `flask keys list`.", kid=kid))
    if key.kid == ring.newest().kid:
        raise KeyFolderError(_("This key signs new tokens. Run `flask keys rotate` first."))
    return key


def record_retirement(*keys: SigningKey) -> None:
    """Record in the audit log that keys are deleted; the caller deletes them after the commit."""
    for key in keys:
        audit_log.record("key.retired", "key", key.name[:36], {"kid": (key.kid, None)})


def delete_keys(*keys: SigningKey) -> None:
    """Delete keys: the tokens that they signed are rejected from now on.

    Raises:
        KeyFolderError: the folder cannot be written.
    """
    for key in keys:
        signing_keys.get_key_ring().remove(key.name)
