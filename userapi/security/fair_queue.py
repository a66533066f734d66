"""A queue for expensive work in which clients take turns, so that none gets more than its share while others wait."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class NoTurnError(Exception):
    """The queue is full, or no turn came in time."""


class _Waiter:
    """A request in the queue; `decided` is set when it gets its turn or loses its place."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.has_turn = False
        self.decided = threading.Event()

    def decide(self, has_turn: bool) -> None:
        """Wake the request up, with or without a turn."""
        self.has_turn = has_turn
        self.decided.set()


class FairQueue:
    """Lets some requests run at the same time and queues some more, fairly by client.

    The next turn goes to the client whose last turn is the longest ago, regardless of how many of its requests wait. A
    client may fill the queue while no other client needs it. When the queue is full, the client with the most requests
    in it loses its newest one to a client that has fewer.

    Args:
        concurrency: number of requests that may have a turn at the same time.
        size: number of requests that may wait.
        timeout: how long each of them waits, in seconds.
    """

    def __init__(self, concurrency: int, size: int, timeout: float) -> None:
        self.size = size
        self._free = concurrency
        self._timeout = timeout
        self._lock = threading.Lock()
        self._queues: dict[str, deque[_Waiter]] = {}  # by client; the client whose turn is next comes first

    @contextmanager
    def take_turn(self, client: str) -> Iterator[None]:
        """Wait for a turn, and run the block.

        Raises:
            NoTurnError: the queue is full, or no turn came in time; the block does not run.
        """
        self._wait(client)
        try:
            yield
        finally:
            self._hand_over()

    def _wait(self, client: str) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            waiter = self._enqueue(client)
        if not waiter.decided.wait(self._timeout):
            with self._lock:
                if not waiter.decided.is_set():
                    self._remove(waiter)
        if not waiter.has_turn:
            raise NoTurnError

    def _enqueue(self, client: str) -> _Waiter:
        if sum(map(len, self._queues.values())) >= self.size:
            self._make_room(client)
        waiter = _Waiter(client)
        self._queues.setdefault(client, deque()).append(waiter)
        return waiter

    def _make_room(self, client: str) -> None:
        longest: Sequence[_Waiter] = max(self._queues.values(), key=len, default=())
        if len(longest) <= len(self._queues.get(client, ())) + 1:
            raise NoTurnError
        newest = longest[-1]
        self._remove(newest)
        newest.decide(False)

    def _remove(self, waiter: _Waiter) -> None:
        queue = self._queues[waiter.client]
        queue.remove(waiter)
        if not queue:
            del self._queues[waiter.client]

    def _hand_over(self) -> None:
        with self._lock:
            if not self._queues:
                self._free += 1
                return
            client = next(iter(self._queues))
            queue = self._queues.pop(client)
            queue.popleft().decide(True)
            if queue:
                self._queues[client] = queue
