"""Password hashing: argon2id for all that is new, other kinds verified until their owner next signs in."""

import os
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerificationError
from flask import Flask, current_app
from flask_babel import gettext as _

from . import foreign_hashes, metrics
from .foreign_hashes import UnusableHash
from .problems import Unavailable

#: How long a request waits for its turn to hash, in seconds.
PATIENCE = 2.0

#: How far the threads that hash step back behind all others (nice; 19 is the most).
STEP_BACK = 10

Result = TypeVar("Result")

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
        self.concurrency = concurrency
        self.threads = self._threads()
        self.places = threading.BoundedSemaphore(places)
        self._unknown: str | None = None

    @property
    def unknown(self) -> str:
        """A hash of nobody's password at the present cost."""
        if self._unknown is None:
            self._unknown = self.hasher.hash("nobody has this password")
        return self._unknown

    def run(self, compute: Callable[[], Result]) -> Result:
        """Compute hashes on a thread that leaves the processors to calls that hash nothing.

        Raises:
            Unavailable: no turn came in time, or too many wait already.
        """
        with self._place(), metrics.counted().hashing.track_inprogress():
            computing = self.threads.submit(compute)
            if _begins(computing):
                return computing.result()
        raise _too_many()

    def rest(self) -> None:
        """End the threads that hash, as before a fork, which copies none; the next hash starts others."""
        self.threads.shutdown()
        self.threads = self._threads()

    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.concurrency, "hashing", initializer=_step_back)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self.places.acquire(blocking=False):
            raise _too_many()
        try:
            yield
        finally:
            self.places.release()


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), STEP_BACK)


def _begins(computing: Future[Result]) -> bool:
    """Whether a computation's turn comes before patience ends."""
    with suppress(TimeoutError):
        computing.exception(timeout=PATIENCE)
    return not computing.cancel()


def _too_many() -> Unavailable:
    metrics.counted().hashing_refused.inc()
    return Unavailable(_("Too many sign-ins at once. Try again in a moment."))


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


def rest() -> None:
    """End the present application's threads that hash, as before a fork."""
    _hashing().rest()


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
    hashing, normal = _hashing(), normalise(password)
    return hashing.run(lambda: hashing.hasher.hash(normal))


def verify(password: str, stored: str | None) -> bool:
    """Whether a password is the stored one; as slow when there is none (`stored` None) as when it is wrong.

    A hash of another kind takes as long as it was made to, until its owner signs in (docs/decisions/0011).

    Raises:
        Unavailable: when too many are being hashed.
    """
    hashing, normal = _hashing(), normalise(password)

    def matches() -> bool:
        if stored is not None and stored.startswith(OWN):
            return _is_own(hashing, normal, stored)
        try:
            found = foreign_hashes.read(stored or "")
        except UnusableHash:
            _is_own(hashing, normal, hashing.unknown)
            return False
        # Others hash what was typed.
        return any(found.matches(spelling.encode()) for spelling in {password, normal})

    return hashing.run(matches)


def is_outdated(stored: str) -> bool:
    """Whether a hash is of another kind or cost than new ones."""
    try:
        return not stored.startswith(OWN) or _hashing().hasher.check_needs_rehash(stored)
    except ValueError:
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


def _is_own(hashing: Hashing, password: str, stored: str) -> bool:
    try:
        return hashing.hasher.verify(stored, password)
    except (VerificationError, ValueError):  # of a damaged hash, several kinds
        return False
