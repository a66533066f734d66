"""Password hashing: argon2id for all that is new, other kinds verified until their owner next signs in."""

import unicodedata

from argon2.exceptions import VerificationError
from flask import current_app
from flask_babel import gettext as _

from . import hashing_threads, legacy_hashes
from .hashing_threads import OWN, Hashing
from .legacy_hashes import ForeignHash, UnusableHash


def normalise(password: str) -> str:
    """NFKC, so that every keyboard writes the same password (SP 800-63B, section 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """Hash a password for storage.

    Raises:
        Unavailable: when too many are being hashed.
    """
    own, normal = hashing_threads.of(current_app), normalise(password)
    return own.run(lambda: own.hasher.hash(normal))


def verify(password: str, stored: str | None) -> bool:
    """Whether a password is the stored one; as slow when there is none (`stored` None) as when it is wrong.

    A hash of another kind takes as long as it was made to, until its owner signs in (docs/decisions/0011).

    Raises:
        Unavailable: when too many are being hashed.
    """
    own, normal, foreign = hashing_threads.of(current_app), normalise(password), _foreign(stored)

    def matches() -> bool:
        if foreign is not None:  # others hash what was typed
            return any(foreign.matches(spelling.encode()) for spelling in {password, normal})
        if stored is not None and stored.startswith(OWN):
            return _is_own(own, normal, stored)
        _is_own(own, normal, own.unknown)
        return False

    return own.run(matches, dear=foreign is not None or own.costs_more(stored))


def is_outdated(stored: str) -> bool:
    """Whether a hash is of another kind or cost than new ones."""
    try:
        return not stored.startswith(OWN) or hashing_threads.of(current_app).hasher.check_needs_rehash(stored)
    except ValueError:
        return True


def describe(stored: str | None) -> str:
    """What kind a hash is and what it costs, never what it is: `argon2id: 19 MiB, 2 passes, 1 lane`."""
    if not stored or stored.startswith("!"):
        return str(_("no password set"))
    try:
        found = legacy_hashes.read(stored)
    except UnusableHash:
        return "unknown"
    return f"{found.kind}: {found.cost}"


def _foreign(stored: str | None) -> ForeignHash | None:
    if stored is None or stored.startswith(OWN):
        return None
    try:
        return legacy_hashes.read(stored)
    except UnusableHash:
        return None


def _is_own(own: Hashing, password: str, stored: str) -> bool:
    try:
        return own.hasher.verify(stored, password)
    except (VerificationError, ValueError):  # of a damaged hash, several kinds
        return False
