"""Password hashing: argon2id for all that is new, other kinds verified until their owner next signs in."""

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Flask, current_app
from flask_babel import gettext as _

from . import foreign_hashes, metrics
from .foreign_hashes import UnusableHash
from .problems import Unavailable

#: How long a request waits for its turn to hash, in seconds.
PATIENCE = 2.0

#: How argon2id begins, which all new hashes are.
OWN = "$argon2id$"


class Hashing:
    """The hashing of one application: its cost, and how many may hash at once.

    Args:
        memory: KiB of memory for one hash.
        time: passes over it.
        concurrency: hashes computed at the same time; a few others wait a little, the rest are told to come back.
        places: how many may be computing or waiting; fewer than the process has threads, so that one is left for calls
            that hash nothing.
    """

    def __init__(self, memory: int, time: int, concurrency: int, places: int) -> None:
        self.hasher = PasswordHasher(time_cost=time, memory_cost=memory, parallelism=1, type=Type.ID)
        self.turns = threading.BoundedSemaphore(concurrency)
        self.places = threading.BoundedSemaphore(places)
        self._unknown: str | None = None

    @property
    def unknown(self) -> str:
        """A hash of nobody's password at the present cost."""
        if self._unknown is None:
            self._unknown = self.hasher.hash("nobody has this password")
        return self._unknown

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn.

        Raises:
            Unavailable: when none came in time, or too many wait already.
        """
        in_use = metrics.counted().hashing.track_inprogress()
        with _held(self.places, timeout=0), in_use, _held(self.turns, timeout=PATIENCE):
            yield


@contextmanager
def _held(semaphore: threading.Semaphore, timeout: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=timeout):
        metrics.counted().hashing_refused.inc()
        raise Unavailable(_("Too many sign-ins at once. Try again in a moment."))
    try:
        yield
    finally:
        semaphore.release()


def configure(app: Flask) -> None:
    """Set the cost from the settings."""
    hashing = Hashing(
        app.config["PASSWORD_HASH_MEMORY"],
        app.config["PASSWORD_HASH_TIME"],
        app.config["PASSWORD_HASH_CONCURRENCY"],
        places=max(1, app.config["WORKER_THREADS"] - 1),
    )
    app.extensions["userapi-hashing"] = hashing
    hashing.unknown  # noqa: B018 - made now, so that the first unknown email costs no more than the next


def _hashing() -> Hashing:
    hashing: Hashing = current_app.extensions["userapi-hashing"]
    return hashing


def normalise(password: str) -> str:
    """NFKC, so that every keyboard writes the same password (SP 800-63B, section 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """Hash a password for storage.

    Raises:
        Unavailable: when too many are being hashed.
    """
    with _hashing().turn():
        return _hashing().hasher.hash(normalise(password))


def verify(password: str, stored: str | None) -> bool:
    """Whether a password is the stored one; as slow when there is none (`stored` None) as when it is wrong.

    A hash of another kind takes as long as it was made to, until its owner signs in (docs/decisions/0011).

    Raises:
        Unavailable: when too many are being hashed.
    """
    normal = normalise(password)
    with _hashing().turn():
        if stored is not None and stored.startswith(OWN):
            return _is_own(normal, stored)
        try:
            matches = foreign_hashes.read(stored or "").matches
        except UnusableHash:
            _is_own(normal, _hashing().unknown)
            return False
        # Others hash what was typed.
        return any(matches(spelling.encode()) for spelling in {password, normal})


def is_outdated(stored: str) -> bool:
    """Whether a hash is of another kind or cost than new ones."""
    try:
        return not stored.startswith(OWN) or _hashing().hasher.check_needs_rehash(stored)
    except InvalidHashError:
        return True


def describe(stored: str | None) -> str:
    """What kind a hash is and what it costs, never what it is: `argon2id: 19 MiB, 2 passes, 1 lane`."""
    if not stored or stored.startswith("!"):
        return str(_("no password: nobody can sign in with one"))
    try:
        found = foreign_hashes.read(stored)
    except UnusableHash:
        return "unknown"
    return f"{found.kind}: {found.cost}"


def _is_own(password: str, stored: str) -> bool:
    try:
        return _hashing().hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
