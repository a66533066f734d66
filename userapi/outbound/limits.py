"""How many requests to other services run at the same time, and when a service gets none for a while."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from userapi.security.fair_queue import FairQueue, NoTurnError

#: How many requests may wait for their turn, for all services and for one, and for how many seconds.
QUEUE_SIZE, SERVICE_QUEUE_SIZE, TURN_TIMEOUT = 8, 4, 1.0

#: After this number of failures in a row within that many seconds, a service gets no requests for a pause in seconds.
MAX_FAILURES, FAILURE_PERIOD, PAUSE = 5, 30.0, 15.0

#: When to try again, in seconds, after a failure that says nothing about it.
RETRY_AFTER = 5


class Unavailable(Exception):
    """The service gave no usable response: it is down, too slow or overloaded, or too many requests wait for it.

    Args:
        reason: what happened, for the log.
        retry_after: when to try again, in seconds.
    """

    def __init__(self, reason: str, retry_after: int = RETRY_AFTER) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Service:
    """The limits of one service.

    Args:
        concurrency: number of requests to it that may run at the same time.
    """

    def __init__(self, concurrency: int) -> None:
        self.queue = FairQueue(concurrency, SERVICE_QUEUE_SIZE, TURN_TIMEOUT)
        self._failures: deque[float] = deque(maxlen=MAX_FAILURES)

    @property
    def pause(self) -> float:
        """For how many more seconds the service gets no requests; 0 or less if it gets some.

        The count of failures is kept after the pause, so the next failure starts another pause.
        """
        failures = list(self._failures)
        if len(failures) < MAX_FAILURES or failures[-1] - failures[0] > FAILURE_PERIOD:
            return 0
        return failures[-1] + PAUSE - time.monotonic()

    def note(self, *, failed: bool) -> None:
        """Note how a request ended."""
        if failed:
            self._failures.append(time.monotonic())
        else:
            self._failures.clear()


class Limits:
    """The limits of all services.

    One service gets half of the turns at most, so that a slow one leaves some to the others.

    Args:
        concurrency: number of requests that may run at the same time.
    """

    def __init__(self, concurrency: int) -> None:
        self.requests = concurrency + QUEUE_SIZE
        self._queue = FairQueue(concurrency, QUEUE_SIZE, TURN_TIMEOUT)
        self._service_concurrency = math.ceil(concurrency / 2)
        self._services: dict[str, Service] = {}
        self._lock = threading.Lock()

    @contextmanager
    def take_turn(self, service: str, *, in_background: bool = False) -> Iterator[None]:
        """Wait for a turn, run the block, and count whether it failed, which it says by raising Unavailable.

        Args:
            service: the label of the service, one of a few.
            in_background: no user waits for it; its caller limits how many run, and they take no turns from others.

        Raises:
            Unavailable: the service gets no requests now, the queue is full, or no turn came in time.
        """
        limits = self._find(service)
        _reject_in_pause(limits)
        try:
            turn = nullcontext() if in_background else self._queue.take_turn(service)
            with limits.queue.take_turn(""), turn:
                _reject_in_pause(limits)
                with _counted(limits):
                    yield
        except NoTurnError as error:
            raise Unavailable("busy") from error

    def is_paused(self, service: str) -> bool:
        """Whether a service gets no requests now."""
        return self._find(service).pause > 0

    def _find(self, service: str) -> Service:
        with self._lock:
            return self._services.setdefault(service, Service(self._service_concurrency))


def _reject_in_pause(service: Service) -> None:
    pause = service.pause
    if pause > 0:
        raise Unavailable("paused", math.ceil(pause))


@contextmanager
def _counted(service: Service) -> Iterator[None]:
    try:
        yield
    except Unavailable:
        service.note(failed=True)
        raise
    service.note(failed=False)
