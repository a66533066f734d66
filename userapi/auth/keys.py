"""Rotating the keys that sign tokens: the newest signs, the others verify what they have signed until it is over."""

from datetime import datetime, timedelta
from typing import NamedTuple

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import trail
from userapi.core import signing
from userapi.core.signing import KeyProblem, SigningKey


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


def list_all() -> list[Listed]:
    """Every key, the newest first.

    Raises:
        KeyProblem: when the folder cannot be read.
    """
    ring = signing.keys()
    longest = timedelta(seconds=current_app.config["SESSION_LIFETIME"])
    listed, replaced_at = [], None
    for key in ring.all():
        listed.append(Listed(key.kid, key.name, None if replaced_at is None else replaced_at + longest))
        replaced_at = ring.made_at(key)
    return listed


def rotate(*, retire_others: bool = False) -> SigningKey:
    """Make a key that signs from now on.

    Args:
        retire_others: delete all others, for when one may have been stolen: whatever they signed is refused.

    Raises:
        KeyProblem: when the folder cannot be written.
    """
    key = signing.keys().add()
    trail.record("key.added", "key", key.name[:36], {"kid": (None, key.kid)})
    for other in signing.keys().all() if retire_others else ():
        if other.kid != key.kid:
            _delete(other)
    return key


def retire(kid: str) -> None:
    """Delete a key that no longer signs.

    Raises:
        KeyProblem: when there is none of this name, when it signs, or when the folder cannot be written.
    """
    ring = signing.keys()
    key = next((key for key in ring.all() if key.kid == kid), None)
    if key is None:
        raise KeyProblem(_("There is no key %(kid)s; `flask keys list` shows all.", kid=kid))
    if key.kid == ring.newest().kid:
        raise KeyProblem(_("This key signs; `flask keys rotate` makes another one first."))
    _delete(key)


def _delete(key: SigningKey) -> None:
    signing.keys().remove(key.name)
    trail.record("key.retired", "key", key.name[:36], {"kid": (key.kid, None)})
