"""Password hashing: argon2id for new passwords; hashes of other kinds are verified until their owner next signs in."""

import unicodedata

from argon2.exceptions import VerificationError
from flask import current_app
from flask_babel import gettext as _

from . import hashing_threads, legacy_hashes
from .hashing_threads import ARGON2ID_PREFIX, Hashing
from .legacy_hashes import LegacyHash, UnusableHash


def normalize_password(password: str) -> str:
    """Return the NFKC form, so that every keyboard produces the same password (SP 800-63B, section 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """Hash a password for storage.

    Raises:
        Unavailable: too many hashes are being computed.
    """
    hashing, normal = hashing_threads.get_hashing(current_app), normalize_password(password)
    return hashing.run(lambda: hashing.hasher.hash(normal))


def verify_password(password: str, stored: str | None) -> bool:
    """Return whether a password matches a stored hash. Without a hash (`stored` is None) it takes as long as with one.

    A hash of another kind takes as long as its own cost requires, until its owner signs in (docs/decisions/0011).

    Raises:
        Unavailable: too many hashes are being computed.
    """
    hashing, normal, legacy = (
        hashing_threads.get_hashing(current_app),
        normalize_password(password),
        _parse_legacy(stored),
    )

    def matches() -> bool:
        if legacy is not None:  # other systems hash passwords as typed
            return any(legacy.matches(spelling.encode()) for spelling in {password, normal})
        if stored is not None and stored.startswith(ARGON2ID_PREFIX):
            return _matches_argon2id(hashing, normal, stored)
        _matches_argon2id(hashing, normal, hashing.placeholder_hash)
        return False

    return hashing.run(matches, expensive=legacy is not None or hashing.costs_more(stored))


def needs_rehash(stored: str) -> bool:
    """Return whether a hash differs from new ones in kind or cost."""
    try:
        return not stored.startswith(ARGON2ID_PREFIX) or hashing_threads.get_hashing(
            current_app
        ).hasher.check_needs_rehash(stored)
    except ValueError:
        return True


def describe_password_hash(stored: str | None) -> str:
    """Return the kind and cost of a hash, never the hash itself: `argon2id: 19 MiB, passes: 2, lanes: 1`."""
    if not stored or stored.startswith("!"):
        return str(_("no password set"))
    try:
        found = legacy_hashes.parse_legacy_hash(stored)
    except UnusableHash:
        return "unknown"
    return f"{found.kind}: {found.cost}"


def _parse_legacy(stored: str | None) -> LegacyHash | None:
    if stored is None or stored.startswith(ARGON2ID_PREFIX):
        return None
    try:
        return legacy_hashes.parse_legacy_hash(stored)
    except UnusableHash:
        return None


def _matches_argon2id(hashing: Hashing, password: str, stored: str) -> bool:
    try:
        return hashing.hasher.verify(stored, password)
    except (VerificationError, ValueError):  # damaged hashes raise several kinds of errors
        return False
