"""Computes password hashes on separate threads, in fair order, without blocking other requests."""

import base64
import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.low_level import ARGON2_VERSION
from flask import Flask, has_request_context
from flask_babel import gettext as _

from userapi.core.problems import Unavailable
from userapi.observability import metrics

from . import throttling
from .fair_queue import FairQueue, NoTurnError
from .idle_memory import IdleTimer, return_free_memory

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Result = TypeVar("Result")

#: The prefix of argon2id hashes, the kind of all new ones.
ARGON2ID_PREFIX = "$argon2id$"

#: For hashes at the configured cost, and for hashes that cost more or are of another kind: how many requests may wait
#: for their turn, how many seconds they wait, and the nice value of the threads. Requests that change a password hold a
#: database connection while they wait, so the queues are shorter than the connection pool.
QUEUE_SIZE, HASHING_TIMEOUT, NICE = 12, 5.0, 10
EXPENSIVE_QUEUE_SIZE, EXPENSIVE_TIMEOUT, EXPENSIVE_NICE = 8, 10.0, 19


class HashingPool:
    """Threads that compute hashes, and the queue of requests that wait for them.

    Args:
        concurrency: number of hashes that are computed at the same time.
        queue_size: number of requests that may wait.
        timeout: how long they wait, in seconds.
        nice: the nice value of the threads, 0 to 19.
    """

    def __init__(self, concurrency: int, queue_size: int, timeout: float, nice: int) -> None:
        self.queue = FairQueue(concurrency, queue_size, timeout)
        self.requests = concurrency + queue_size
        self._concurrency, self._nice = concurrency, nice
        self._threads = self._new_threads()
        self.idle_timer = IdleTimer(self._return_memory)

    def run(self, client: str, compute: Callable[[], Result]) -> Result:
        """Compute when it is the client's turn.

        Raises:
            NoTurnError: the queue is full, or no turn came in time.
        """
        with self.queue.take_turn(client):
            try:
                return self._threads.submit(compute).result()
            finally:
                self.idle_timer.note_use()

    def shutdown_threads(self) -> None:
        """Stop the threads; the next hash starts new ones."""
        self._threads.shutdown()
        self._threads = self._new_threads()

    def _return_memory(self) -> None:
        """Return what the threads do not need any more; of several threads, one may return its own twice instead."""
        with suppress(RuntimeError):  # the threads were stopped
            for _thread in range(self._concurrency):
                self._threads.submit(return_free_memory)

    def _new_threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._concurrency, "hashing", initializer=self._lower_priority)

    def _lower_priority(self) -> None:
        if sys.platform == "linux":  # other systems have no priority per thread
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)


class RequestSlots:
    """WSGI middleware that limits how many requests run at the same time, not counting those that wait for a hash.

    A request releases its slot while it waits for a hash. Afterwards it does not wait for a free slot, because it may
    hold a lock that the requests in the slots are waiting for. So one request too many runs until the next one ends.

    Args:
        app: the WSGI application.
        concurrency: number of slots.
    """

    def __init__(self, app: "WSGIApplication", concurrency: int) -> None:
        self._app = app
        self._free: SimpleQueue[None] = SimpleQueue()
        self._excess = 0
        self._lock = threading.Lock()
        for _number in range(concurrency):
            self._free.put(None)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Any:
        self._free.get()
        try:
            return self._app(environ, start_response)
        finally:
            self._release()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Release the slot of the current request for the time of the block."""
        self._release()
        try:
            yield
        finally:
            self._reclaim()

    def _release(self) -> None:
        with self._lock:
            if self._excess:
                self._excess -= 1
            else:
                self._free.put(None)

    def _reclaim(self) -> None:
        with self._lock:
            try:
                self._free.get_nowait()
            except Empty:
                self._excess += 1


class Hashing:
    """Password hashing of one application.

    Args:
        memory: memory for one hash, in KiB.
        time: number of passes over the memory.
        concurrency: hashes at this cost that are computed at the same time; of more expensive ones it is one.
    """

    def __init__(self, memory: int, time: int, concurrency: int) -> None:
        self.hasher = PasswordHasher(time_cost=time, memory_cost=memory, parallelism=1, type=Type.ID)
        self.normal = HashingPool(concurrency, QUEUE_SIZE, HASHING_TIMEOUT, NICE)
        self.expensive = HashingPool(1, EXPENSIVE_QUEUE_SIZE, EXPENSIVE_TIMEOUT, EXPENSIVE_NICE)
        self._slots: RequestSlots | None = None
        #: At the configured cost. No password matches it, because salt and result are random.
        self.placeholder_hash = (
            f"{ARGON2ID_PREFIX}v={ARGON2_VERSION}$m={memory},t={time},p=1$"
            f"{_random_base64(self.hasher.salt_len)}${_random_base64(self.hasher.hash_len)}"
        )

    def run(self, compute: Callable[[], Result], *, expensive: bool = False) -> Result:
        """Compute hashes on a thread with a low priority, so that requests without hashing stay fast.

        Args:
            compute: the function that computes them.
            expensive: whether it may cost more than one hash at the configured cost.

        Raises:
            Unavailable: the queue is full, or no turn came in time.
        """
        lane = self.expensive if expensive else self.normal
        client = throttling.get_client_subject() if has_request_context() else ""
        try:
            with self.slot_released(), metrics.get_current_metrics().hashing.track_inprogress():
                return lane.run(client, compute)
        except NoTurnError as error:
            metrics.get_current_metrics().hashing_refused.inc()
            raise Unavailable(_("Too many sign-ins at the same time. Try again in a moment.")) from error

    def slot_released(self) -> AbstractContextManager[None]:
        """Let the server run another request during the block, in which this one only waits."""
        return self._slots.released() if self._slots and has_request_context() else nullcontext()

    def costs_more(self, stored: str | None) -> bool:
        """Return whether an argon2id hash costs more than one at the configured cost."""
        try:
            found = extract_parameters(stored or "")
        except InvalidHashError:
            return False  # a damaged hash is never computed
        return found.memory_cost * found.time_cost > self.hasher.memory_cost * self.hasher.time_cost

    def shutdown_threads(self) -> None:
        """Stop the hashing threads before a fork, which does not copy threads."""
        self.normal.shutdown_threads()
        self.expensive.shutdown_threads()

    def reserve_threads(self, app: Flask, concurrency: int, waiting: int) -> int:
        """Limit the number of running requests, and return how many threads the server needs.

        The server gets more threads than requests may run: the others are for requests that wait for a hash, or for
        another service.

        Args:
            app: the application.
            concurrency: number of requests that may run at the same time.
            waiting: number of requests that may wait for other services.
        """
        self._slots = RequestSlots(app.wsgi_app, concurrency)
        app.wsgi_app = self._slots  # type: ignore[method-assign]
        return concurrency + self.normal.requests + self.expensive.requests + waiting


def configure(app: Flask) -> None:
    """Create the hashing pools from the settings."""
    hashing = Hashing(
        app.config["PASSWORD_HASH_MEMORY"],
        app.config["PASSWORD_HASH_TIME"],
        app.config["PASSWORD_HASH_CONCURRENCY"],
    )
    app.extensions["userapi-hashing"] = hashing


def _random_base64(size: int) -> str:
    """Random bytes as in the text form of argon2 hashes: base64 without padding."""
    return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


def get_hashing(app: Flask) -> Hashing:
    """Return the hashing of an application."""
    hashing: Hashing = app.extensions["userapi-hashing"]
    return hashing
