"""Where password hashes are computed: on threads of their own, in turns, and without holding up other requests."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError
from flask import Flask, has_request_context
from flask_babel import gettext as _

from userapi.core.problems import Unavailable
from userapi.observability import metrics

from . import throttling
from .fair_queue import NoTurn, Turns

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Result = TypeVar("Result")

#: How argon2id hashes begin, the kind of all new ones.
OWN = "$argon2id$"

#: For hashes of the present cost, and for those that cost more or were made by others: how many requests may wait for
#: their turn, how long, in seconds, and how far the threads that compute step back behind all others (nice). Those that
#: change a password hold a database connection while they wait, so there are fewer places than connections.
PLACES, PATIENCE, STEP_BACK = 12, 5.0, 10
DEAR_PLACES, DEAR_PATIENCE, DEAR_STEP_BACK = 8, 10.0, 19


class Lane:
    """Threads that compute hashes, and the requests that wait for them.

    Args:
        concurrency: how many hashes are computed at the same time.
        places: how many requests may wait.
        patience: how long they wait, in seconds.
        step_back: the priority of the threads, as nice has it.
    """

    def __init__(self, concurrency: int, places: int, patience: float, step_back: int) -> None:
        self.turns = Turns(concurrency, places, patience)
        self.requests = concurrency + places
        self._concurrency, self._step_back = concurrency, step_back
        self._threads = self._new_threads()

    def run(self, client: str, compute: Callable[[], Result]) -> Result:
        """Compute when it is the client's turn.

        Raises:
            NoTurn: no turn came in time, or too many wait already.
        """
        with self.turns.turn(client):
            return self._threads.submit(compute).result()

    def rest(self) -> None:
        """End the threads; the next hash starts others."""
        self._threads.shutdown()
        self._threads = self._new_threads()

    def _new_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._concurrency, "hashing", initializer=self._lower_priority)

    def _lower_priority(self) -> None:
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._step_back)


class Workplaces:
    """Lets so many requests work at the same time. A request that waits for a hash leaves its place to another.

    When it comes back, it does not wait for a place, since it may hold a lock that those who have one are waiting for;
    there is one request too many until the next one ends.

    Args:
        app: what answers the requests.
        number: how many may work.
    """

    def __init__(self, app: "WSGIApplication", number: int) -> None:
        self._app = app
        self._free: SimpleQueue[None] = SimpleQueue()
        self._too_many = 0
        self._lock = threading.Lock()
        for _number in range(number):
            self._free.put(None)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Any:
        self._free.get()
        try:
            return self._app(environ, start_response)
        finally:
            self._leave()

    @contextmanager
    def left(self) -> Iterator[None]:
        """Leave the present request's place to others for the time of the block."""
        self._leave()
        try:
            yield
        finally:
            self._come_back()

    def _leave(self) -> None:
        with self._lock:
            if self._too_many:
                self._too_many -= 1
            else:
                self._free.put(None)

    def _come_back(self) -> None:
        with self._lock:
            try:
                self._free.get_nowait()
            except Empty:
                self._too_many += 1


class Hashing:
    """The hashing of one application.

    Args:
        memory: KiB of memory for one hash.
        time: passes over it.
        concurrency: hashes of this cost that are computed at the same time; of others it is one.
    """

    def __init__(self, memory: int, time: int, concurrency: int) -> None:
        self.hasher = PasswordHasher(time_cost=time, memory_cost=memory, parallelism=1, type=Type.ID)
        self.usual = Lane(concurrency, PLACES, PATIENCE, STEP_BACK)
        self.dear = Lane(1, DEAR_PLACES, DEAR_PATIENCE, DEAR_STEP_BACK)
        self._workplaces: Workplaces | None = None
        self._unknown: str | None = None

    @property
    def unknown(self) -> str:
        """A hash of no user's password at the present cost."""
        if self._unknown is None:
            self._unknown = self.hasher.hash("nobody has this password")
        return self._unknown

    def run(self, compute: Callable[[], Result], *, dear: bool = False) -> Result:
        """Compute hashes on a thread that leaves the processors to calls that hash nothing.

        Args:
            compute: computes them.
            dear: whether that may cost more than a hash of the present cost.

        Raises:
            Unavailable: no turn came in time, or too many wait already.
        """
        lane = self.dear if dear else self.usual
        in_request = has_request_context()
        left = self._workplaces.left() if self._workplaces and in_request else nullcontext()
        try:
            with left, metrics.counted().hashing.track_inprogress():
                return lane.run(throttling.client() if in_request else "", compute)
        except NoTurn as error:
            metrics.counted().hashing_refused.inc()
            raise Unavailable(_("Too many sign-ins at the same time. Try again in a moment.")) from error

    def costs_more(self, stored: str | None) -> bool:
        """Whether an argon2id hash costs more than one of the present cost."""
        try:
            found = extract_parameters(stored or "")
        except InvalidHashError:
            return False  # it is not computed
        return found.memory_cost * found.time_cost > self.hasher.memory_cost * self.hasher.time_cost

    def rest(self) -> None:
        """End the threads that hash, as before a fork, which copies none."""
        self.usual.rest()
        self.dear.rest()

    def keep_places_for_others(self, app: Flask, number: int) -> int:
        """Let a server have more threads than requests may work: the others are for requests that wait for a hash.

        Args:
            app: this hashing's application.
            number: how many requests may work at the same time.

        Returns:
            How many threads the server needs.
        """
        self._workplaces = Workplaces(app.wsgi_app, number)
        app.wsgi_app = self._workplaces  # type: ignore[method-assign]
        return number + self.usual.requests + self.dear.requests


def configure(app: Flask) -> None:
    """Set the cost from the settings."""
    hashing = Hashing(
        app.config["PASSWORD_HASH_MEMORY"],
        app.config["PASSWORD_HASH_TIME"],
        app.config["PASSWORD_HASH_CONCURRENCY"],
    )
    app.extensions["userapi-hashing"] = hashing
    hashing.unknown  # noqa: B018 - made now, so that the first unknown email costs no more than the next


def of(app: Flask) -> Hashing:
    """The hashing of an application."""
    hashing: Hashing = app.extensions["userapi-hashing"]
    return hashing
