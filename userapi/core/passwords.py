"""Password hashing: argon2id for all that is new, other kinds verified until their owner next signs in."""

import base64
import binascii
import hashlib
import hmac
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Flask, current_app

from .problems import Unavailable

#: How long a request waits for its turn to hash, in seconds.
PATIENCE = 2.0

#: A hash of more rounds would let an imported row stall the service.
MAXIMUM_PBKDF2_ROUNDS = 5_000_000


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
        with _held(self.places, timeout=0), _held(self.turns, timeout=PATIENCE):
            yield


@contextmanager
def _held(semaphore: threading.Semaphore, timeout: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=timeout):
        raise Unavailable("Too many sign-ins at once. Try again in a moment.")
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

    Raises:
        Unavailable: when too many are being hashed.
    """
    normal = normalise(password)
    with _hashing().turn():
        if stored is None or stored.startswith("!"):
            _argon2(normal, _hashing().unknown)
            return False
        kind = stored.partition("$")[0]
        if kind == "pbkdf2_sha256":
            # Django hashes what was typed.
            return any(_pbkdf2(spelling, stored) for spelling in {password, normal})
        return _argon2(normal, stored)


def is_outdated(stored: str) -> bool:
    """Whether a hash is of another kind or cost than new ones."""
    try:
        return not stored.startswith("$argon2id$") or _hashing().hasher.check_needs_rehash(stored)
    except InvalidHashError:
        return True


def describe(stored: str | None) -> str:
    """What kind a hash is and what it costs, never what it is: `argon2id: 19 MiB, 2 passes, 1 lane`."""
    if not stored or stored.startswith("!"):
        return "no password: nobody can sign in with one"
    try:
        cost = extract_parameters(stored)
    except InvalidHashError:
        kind, _, rest = stored.partition("$")
        rounds = rest.partition("$")[0]
        return f"pbkdf2_sha256: {int(rounds):,} rounds" if kind == "pbkdf2_sha256" and rounds.isdecimal() else "unknown"
    kind = cost.type.name.lower()
    return f"argon2{kind}: {cost.memory_cost / 1024:g} MiB, {cost.time_cost} passes, {cost.parallelism} lane(s)"


def _argon2(password: str, stored: str) -> bool:
    try:
        return _hashing().hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _pbkdf2(password: str, stored: str) -> bool:
    """Check a hash in Django's notation: `pbkdf2_sha256$rounds$salt$base64`."""
    try:
        _kind, rounds, salt, digest = stored.split("$")
        expected = base64.b64decode(digest, validate=True)
        count = int(rounds)
    except (ValueError, binascii.Error):
        return False
    if not 0 < count <= MAXIMUM_PBKDF2_ROUNDS:
        return False
    found = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), count)
    return hmac.compare_digest(found, expected)
