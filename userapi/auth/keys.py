"""Rotating the keys that sign tokens: the newest signs, the others verify what they have signed until it is over."""

from datetime import datetime, timedelta
from typing import NamedTuple

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.security import signing_keys
from userapi.security.signing_keys import KeyFolderError, SigningKey


class Listed(NamedTuple):
    """A key and its use.

    Attributes:
        kid: its RFC 7638 thumbprint.
        name: of its file, without `.pem`.
        needed_until: when the last token that it has signed is over; None for the key that signs.
    """

    kid: str
    name: str
    needed_until: datetime | None


def list_keys() -> list[Listed]:
    """Every key, the newest first.

    Raises:
        KeyProblem: when the folder cannot be read.
    """
    ring = signing_keys.get_key_ring()
    longest = timedelta(seconds=current_app.config["SESSION_LIFETIME"])
    listed, replaced_at = [], None
    for key in ring.all():
        listed.append(Listed(key.kid, key.name, None if replaced_at is None else replaced_at + longest))
        replaced_at = ring.created_at(key)
    return listed


def prepare_key() -> SigningKey:
    """Make a key, and write down that it signs, which it does once it is published.

    The door commits before it publishes: no key signs that the trail does not know.

    Raises:
        KeyProblem: when the folder cannot be written.
    """
    key = signing_keys.get_key_ring().prepare()
    audit_log.record("key.added", "key", key.name[:36], {"kid": (None, key.kid)})
    return key


def publish_key(key: SigningKey) -> None:
    """Let a prepared key sign from now on.

    Raises:
        KeyProblem: when the folder cannot be written.
    """
    signing_keys.get_key_ring().publish(key)


def list_other_keys(key: SigningKey) -> list[SigningKey]:
    """Every key but one."""
    return [other for other in signing_keys.get_key_ring().all() if other.kid != key.kid]


def find_verifying_key(kid: str) -> SigningKey:
    """A key that no longer signs.

    Raises:
        KeyProblem: when there is none of this name, or it signs.
    """
    ring = signing_keys.get_key_ring()
    key = next((key for key in ring.all() if key.kid == kid), None)
    if key is None:
        raise KeyFolderError(_("There is no key %(kid)s. To see all keys, run `flask keys list`.", kid=kid))
    if key.kid == ring.newest().kid:
        raise KeyFolderError(_("This key signs new tokens. Run `flask keys rotate` first."))
    return key


def record_retirement(*keys: SigningKey) -> None:
    """Write down that keys are deleted, which they are once the door has committed and removes them."""
    for key in keys:
        audit_log.record("key.retired", "key", key.name[:36], {"kid": (key.kid, None)})


def delete_keys(*keys: SigningKey) -> None:
    """Delete keys: what they have signed is refused.

    Raises:
        KeyProblem: when the folder cannot be written.
    """
    for key in keys:
        signing_keys.get_key_ring().remove(key.name)
