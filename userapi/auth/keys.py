"""Rotating signing keys: the newest signs tokens, the others verify the tokens that they signed until these expire."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.security import signing_keys
from userapi.security.key_folder import KeyFolderError
from userapi.security.signing_keys import TokenKey, TokenKeyRing

#: A key ring of any algorithm.
Ring = TokenKeyRing[Any]


class ListedKey(NamedTuple):
    """A key and its use.

    Attributes:
        kid: its RFC 7638 thumbprint.
        name: of its file in JWT_KEY_DIR, without `.pem`.
        needed_until: when the last token that it signed expires; None for the key that signs.
    """

    kid: str
    name: str
    needed_until: datetime | None


def get_ring(*, is_rsa: bool) -> Ring:
    """The keys for RS256, or for ES256."""
    return signing_keys.get_rsa_key_ring() if is_rsa else signing_keys.get_key_ring()


def list_keys() -> list[ListedKey]:
    """Every key, the newest first, those for RS256 last.

    Raises:
        KeyFolderError: the folder cannot be read.
    """
    return [listed for is_rsa in (False, True) for listed in _list_keys(get_ring(is_rsa=is_rsa))]


def _list_keys(ring: Ring) -> list[ListedKey]:
    max_lifetime = timedelta(seconds=_find_max_lifetime())
    listed: list[ListedKey] = []
    replaced_at: datetime | None = None
    for key in ring.all():
        needed_until = replaced_at + max_lifetime if replaced_at is not None else None
        listed.append(ListedKey(key.kid, ring.prefix + key.name, needed_until))
        replaced_at = ring.created_at(key)
    return listed


def _find_max_lifetime() -> int:
    """How long a token may be sent, in seconds; an ID token identifies its session until that ends."""
    session: int = current_app.config["SESSION_LIFETIME"]
    refresh_token: int = current_app.config["OPENID_REFRESH_IDLE"]
    return max(session, refresh_token if current_app.config["OPENID_PROVIDER"] else 0)


def ensure_rsa_key() -> None:
    """Create an RSA key if there is none, for the first client that needs one."""
    ring = get_ring(is_rsa=True)
    if not ring.all():
        ring.publish(prepare_key(ring))


def prepare_key(ring: Ring) -> TokenKey:
    """Create a key that signs once it is published, and record it in the audit log.

    The caller commits before publishing, so that no key signs that is missing in the audit log.

    Raises:
        KeyFolderError: the folder cannot be written.
    """
    key: TokenKey = ring.prepare()
    audit_log.record("key.added", "key", key.name[:36], {"kid": (None, key.kid)})
    return key


def list_other_keys(ring: Ring, key: TokenKey) -> list[TokenKey]:
    """Every key of a ring except one."""
    return [other for other in ring.all() if other.kid != key.kid]


def find_verifying_key(kid: str) -> tuple[Ring, TokenKey]:
    """A key that only verifies tokens, and its ring.

    Raises:
        KeyFolderError: there is no key with this id, or it is the one that signs.
    """
    for is_rsa in (False, True):
        ring = get_ring(is_rsa=is_rsa)
        key = next((key for key in ring.all() if key.kid == kid), None)
        if key is None:
            continue
        if key.kid == ring.newest().kid:
            raise KeyFolderError(_("This key signs new tokens. Run `%(command)s` first.", command=ring.rotate_command))
        return ring, key
    raise KeyFolderError(_("There is no key %(kid)s. To see all keys, run `flask keys list`.", kid=kid))


def record_retirement(*keys: TokenKey) -> None:
    """Record in the audit log that keys are deleted; the caller deletes them after the commit."""
    for key in keys:
        audit_log.record("key.retired", "key", key.name[:36], {"kid": (key.kid, None)})


def delete_keys(ring: Ring, *keys: TokenKey) -> None:
    """Delete keys of a ring: the tokens that they signed are rejected from now on.

    Raises:
        KeyFolderError: the folder cannot be written.
    """
    for key in keys:
        ring.remove(key.name)
